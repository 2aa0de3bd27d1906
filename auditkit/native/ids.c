/* The next id of a process: `clock.IdSource.at`. */

#include "native.h"

typedef struct {
    PyObject_HEAD
    IDS_FIELDS(AS_OBJECT, Ids)
} Ids;

DEFINE_FIELDS(Ids, IDS_FIELDS, AS_MEMBER)

enum { PREFIX = 15, COUNT = 3, TAIL = 18, ID = PREFIX + COUNT + TAIL };

static int
is_text_of(PyObject *object, Py_ssize_t size)
{
    return object != NULL && is_plain_text(object) && PyUnicode_GET_LENGTH(object) == size;
}

/* Whether ids are drawn, and of a millisecond that has begun at a time. */
static int
is_drawn(Ids *self, PyObject *now_ns)
{
    enum { MILLISECOND = 1000000 };
    if (self->_millisecond == NULL || self->_drawn == NULL || !is_text_of(self->_prefix, PREFIX) ||
        !PyTuple_CheckExact(self->_drawn) || PyTuple_GET_SIZE(self->_drawn) != 2 ||
        !PyList_CheckExact(PyTuple_GET_ITEM(self->_drawn, 0)) || !is_text_of(PyTuple_GET_ITEM(self->_drawn, 1), TAIL)) {
        return 0;
    }
    int overflow, none;
    long long now = PyLong_AsLongLongAndOverflow(now_ns, &overflow);
    long long begun = PyLong_AsLongLongAndOverflow(self->_millisecond, &none);
    if (PyErr_Occurred()) {
        return -1;
    }
    return !overflow && !none && now >= 0 && now / MILLISECOND <= begun;
}

/* Take the last count that was drawn, and make an id with it; no other thread can take the same one. */
static PyObject *
taken(Ids *self)
{
    PyObject *counts = PyTuple_GET_ITEM(self->_drawn, 0), *tail = PyTuple_GET_ITEM(self->_drawn, 1);
    Py_ssize_t left = PyList_GET_SIZE(counts);
    PyObject *id = PyUnicode_New(ID, 127);
    if (id == NULL) {
        return NULL;
    }
    PyObject *count = PyList_GET_ITEM(counts, left - 1);
    if (!is_text_of(count, COUNT)) {
        Py_DECREF(id);
        PyErr_SetString(PyExc_TypeError, "a count is three digits");
        return NULL;
    }
    Py_UCS1 *text = PyUnicode_1BYTE_DATA(id);
    memcpy(text, PyUnicode_1BYTE_DATA(self->_prefix), PREFIX);
    memcpy(text + PREFIX, PyUnicode_1BYTE_DATA(count), COUNT);
    memcpy(text + PREFIX + COUNT, PyUnicode_1BYTE_DATA(tail), TAIL);
    if (PyList_SetSlice(counts, left - 1, left, NULL) < 0) {
        Py_CLEAR(id);
    }
    return id;
}

/* Return one new id for a time that the caller has read already. */
PyObject *
id_at(State *state, PyObject *ids, PyObject *now_ns)
{
    Ids *self = (Ids *)ids;
    int drawn = PyObject_TypeCheck(ids, state->ids_type) ? is_drawn(self, now_ns) : 0;
    if (drawn < 0) {
        return NULL;
    }
    if (drawn && PyList_GET_SIZE(PyTuple_GET_ITEM(self->_drawn, 0)) > 0) {
        return taken(self);
    }
    return PyObject_CallFunctionObjArgs(state->used.id_at, ids, now_ns, NULL);
}

static PyObject *
method_at(PyObject *self, PyTypeObject *type, PyObject *const *arguments, Py_ssize_t count, PyObject *names)
{
    State *state = state_of(PyType_GetModule(type));
    if (count != 1 || names != NULL || state->used.id_at == NULL) {
        PyErr_SetString(PyExc_TypeError, "at takes a time in nanoseconds");
        return NULL;
    }
    return id_at(state, self, arguments[0]);
}

static PyMethodDef methods[] = {
    {"at", (PyCFunction)(void (*)(void))method_at, METH_METHOD | METH_FASTCALL | METH_KEYWORDS,
     "Return one new id for a time that the caller has read already."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "What ids are made of; clock.py makes it."},
    {Py_tp_methods, methods},
    FIELD_SLOTS(Ids),
    {0, NULL},
};

PyTypeObject *
make_ids_type(PyObject *module)
{
    return MAKE_TYPE(module, Ids, slots);
}
