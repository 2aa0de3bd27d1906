/* One event written down: `disk.DiskJournal.append`. */

#include "native.h"

typedef struct {
    PyObject_HEAD
    JOURNAL_FIELDS(AS_OBJECT, Journal)
} Journal;

DEFINE_FIELDS(Journal, JOURNAL_FIELDS, AS_MEMBER)

/* Call a method without arguments for what it does. */
static int
ask(PyObject *self, PyObject *method)
{
    PyObject *done = PyObject_CallMethodNoArgs(self, method);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

/* Count one record more, and let this thread wait for it where syncs are waited for. */
static int
count(State *state, Journal *self)
{
    PyObject *number = PyObject_GetAttr(self->_growth, state->names.number);
    PyObject *next = number == NULL ? NULL : PyNumber_Add(number, state->one);
    int result = next == NULL ? -1 : PyObject_SetAttr(self->_growth, state->names.number, next);
    if (result == 0 && self->syncs_each == Py_True) {
        result = PyObject_SetAttr(self->_mine, state->names.latest, next);
    }
    Py_XDECREF(next);
    Py_XDECREF(number);
    return result;
}

/* Write a body to the present segment, or to a further one; return its position. */
static PyObject *
position_of(State *state, Journal *self, PyObject *body)
{
    PyObject *segment = Py_NewRef(self->_segment), *position = NULL, *index = NULL;
    if (PyObject_TypeCheck(segment, state->segment_type)) {
        index = appended(state, segment, body);
    }
    else if (segment == Py_None) {
        index = Py_NewRef(Py_None);
    }
    else {
        PyErr_SetString(PyExc_TypeError, "the journal's segment is none");
    }
    if (index == Py_None) {
        position = PyObject_CallMethodOneArg((PyObject *)self, state->names._write, body);
    }
    else if (index != NULL) {
        PyObject *name = PyObject_GetAttr(segment, state->names.name);
        position = name == NULL ? NULL : PyTuple_Pack(2, name, index);
        Py_XDECREF(name);
    }
    Py_XDECREF(index);
    Py_DECREF(segment);
    return position;
}

/* Raise what an OSError means for whoever records. */
static void
refuse(State *state, Journal *self)
{
    if (PyErr_ExceptionMatches(PyExc_OSError)) {
        PyObject *error = raised_exception(), *before = begin_handling(error);
        PyObject *done = PyObject_CallMethodOneArg((PyObject *)self, state->names._refuse, error);
        end_handling(before);
        if (done != NULL) { /* it never is */
            Py_DECREF(done);
            raise_again(Py_NewRef(error));
        }
        Py_DECREF(error);
    }
}

/* Write what came in while an append was under way, whatever became of that one. */
static int
catch_up(State *state, Journal *self)
{
    int waiting = PyObject_IsTrue(self->_interrupting);
    return waiting <= 0 ? waiting : ask((PyObject *)self, state->names._catch_up);
}

/* Let go of the lock. */
static int
let_go(State *state, Journal *self)
{
    return ask(self->_lock, state->names.release);
}

/* Do what has to be done whatever became of an append; give its position, or raise what it raised. */
static PyObject *
finally(PyObject *position, int (*what)(State *, Journal *), State *state, Journal *self)
{
    if (position != NULL) {
        if (what(state, self) < 0) {
            Py_CLEAR(position);
        }
        return position;
    }
    PyObject *error = raised_exception(), *before = begin_handling(error);
    int result = what(state, self);
    end_handling(before);
    if (result < 0) {
        Py_DECREF(error); /* the new one is raised in its context */
    }
    else {
        raise_again(error);
    }
    return NULL;
}

/* Write a body down; the journal's lock is held. */
static PyObject *
write_down(State *state, Journal *self, PyObject *body)
{
    if (self->_busy != Py_False) {
        PyObject *kept = PyObject_CallMethodOneArg(self->_interrupting, state->names.append, body);
        Py_XDECREF(kept);
        return kept == NULL ? NULL : Py_NewRef(state->used.NOWHERE);
    }
    Py_SETREF(self->_busy, Py_NewRef(Py_True));
    PyObject *position = position_of(state, self, body);
    if (position == NULL) {
        refuse(state, self);
    }
    else if (count(state, self) < 0) {
        Py_CLEAR(position);
    }
    Py_SETREF(self->_busy, Py_NewRef(Py_False));
    return finally(position, catch_up, state, self);
}

/* Wake who waits for the journal to grow; never while its lock is held. */
static int
wake(State *state, Journal *self)
{
    int waiting = is_true(self->_growth, state->names.waiting);
    return waiting <= 0 ? waiting : ask(self->_growth, state->names.tell);
}

/* Whether an event can be written right away: one that is not too long, where a lock may be waited for. */
static int
is_usual(State *state, PyObject *body)
{
    if (PyBytes_GET_SIZE(body) > PyLong_AsSsize_t(state->used.longest)) {
        return 0;
    }
    PyObject *guarded = PyObject_CallNoArgs(state->used.guarded);
    int usual = guarded == NULL ? -1 : guarded == Py_False;
    Py_XDECREF(guarded);
    return usual;
}

static PyObject *
append(State *state, Journal *self, PyObject *draft)
{
    PyObject *body = encoded(state, draft);
    int usual = body == NULL ? -1 : is_usual(state, body);
    if (usual == 0) {
        Py_DECREF(body);
        return PyObject_CallFunctionObjArgs(state->used.append, (PyObject *)self, draft, NULL);
    }
    PyObject *position = NULL;
    if (usual > 0 && ask(self->_lock, state->names.acquire) == 0) {
        position = finally(write_down(state, self, body), let_go, state, self);
    }
    Py_XDECREF(body);
    if (position != NULL && position != state->used.NOWHERE && wake(state, self) < 0) {
        Py_CLEAR(position);
    }
    return position;
}

static PyObject *
method_append(PyObject *self, PyTypeObject *type, PyObject *const *arguments, Py_ssize_t count, PyObject *names)
{
    State *state = state_of(PyType_GetModule(type));
    if (!is_ready_to_write(state)) {
        return NULL;
    }
    if (count != 1 || names != NULL || !HAS_ALL(JOURNAL_FIELDS, Journal)) {
        PyErr_SetString(PyExc_TypeError, "append takes a draft, on a journal that was made");
        return NULL;
    }
    return append(state, (Journal *)self, arguments[0]);
}

static PyMethodDef methods[] = {
    {"append", (PyCFunction)(void (*)(void))method_append, METH_METHOD | METH_FASTCALL | METH_KEYWORDS,
     "Write one event down."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "Where this process writes events down; journal/disk.py has the rest."},
    {Py_tp_methods, methods},
    FIELD_SLOTS(Journal),
    {0, NULL},
};

PyTypeObject *
make_journal_type(PyObject *module)
{
    return MAKE_TYPE(module, Journal, slots);
}
