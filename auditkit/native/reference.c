/* Values of a call that a declaration refers to, such as "tweet.id": `capture.reference`, and `composition._target`. */

#include "native.h"

/* The parts of a `reference.Place`. */
enum { INDEX, NAME, SEGMENT };

/* Whether a reference is to a whole argument, and to nothing inside of it. */
int
is_whole(PyObject *place)
{
    return place != Py_None && PyTuple_GET_ITEM(place, SEGMENT) == Py_None;
}

/* Find the argument that a reference begins with. */
int
argument_of(PyObject *place, Call *call, PyObject **value)
{
    if (place == Py_None || !PyTuple_CheckExact(call->args)) {
        return NOT_PLAIN;
    }
    PyObject *found = NULL, *name = PyTuple_GET_ITEM(place, NAME);
    Py_ssize_t index = PyLong_AsSsize_t(PyTuple_GET_ITEM(place, INDEX));
    if (index < 0) {
        return PyErr_Occurred() ? FAILED : NOT_PLAIN;
    }
    if (index < PyTuple_GET_SIZE(call->args)) {
        found = PyTuple_GET_ITEM(call->args, index);
    }
    else if (name != Py_None && PyDict_CheckExact(call->kwargs)) {
        found = PyDict_GetItemWithError(call->kwargs, name);
    }
    if (found == NULL) { /* a default, or nothing at all */
        return PyErr_Occurred() ? FAILED : NOT_PLAIN;
    }
    *value = Py_NewRef(found);
    return DONE;
}

/* Leave it to Python to read the target of a call. */
static PyObject *
ask_for_target(State *state, Call *call, PyObject *is_early)
{
    PyObject *arguments[] = {(PyObject *)call, is_early};
    return PyObject_Vectorcall(state->used.target, arguments, 2, NULL);
}

/* Leave it to Python to make a target of a value. */
static PyObject *
given_target(State *state, Call *call, PyObject *is_early, PyObject *value)
{
    PyObject *arguments[] = {(PyObject *)call, is_early, value};
    return PyObject_Vectorcall(state->used.given_target, arguments, 3, NULL);
}

/* Tell Python that reading an argument's attribute or key raised: it is not read again, for that may do something. */
static PyObject *
unread_target(State *state, Call *call, PyObject *is_early, PyObject *argument)
{
    if (PyErr_ExceptionMatches(state->used.NOT_OURS)) {
        return NULL;
    }
    PyObject *error = raised_exception();
    PyObject *arguments[] = {(PyObject *)call, is_early, argument, error};
    PyObject *target = PyObject_Vectorcall(state->used.unread_target, arguments, 4, NULL);
    Py_DECREF(error);
    return target;
}

/* Whether an attribute or key of an argument is read as Python itself would read it. */
static int
is_read_plainly(State *state, PyObject *argument)
{
    if (PyDict_CheckExact(argument)) {
        return DONE;
    }
    PyObject *way = looked_up(state->used.WAYS, (PyObject *)Py_TYPE(argument));
    int result = way == NULL ? contained(state) : way == state->getattr ? DONE : NOT_PLAIN;
    Py_XDECREF(way);
    return result;
}

/* Return the target that an argument gives, or its attribute or key. */
static PyObject *
target_in(Site *site, Call *call, PyObject *is_early, PyObject *argument)
{
    State *state = site->state;
    PyObject *segment = PyTuple_GET_ITEM(site->target, SEGMENT), *value = Py_NewRef(argument), *target;
    if (segment != Py_None) {
        int result = is_read_plainly(state, argument);
        Py_DECREF(value);
        if (result != DONE) {
            return result == FAILED ? NULL : ask_for_target(state, call, is_early);
        }
        value = PyDict_CheckExact(argument) ? PyObject_GetItem(argument, segment) : PyObject_GetAttr(argument, segment);
        if (value == NULL) {
            return unread_target(state, call, is_early, argument);
        }
    }
    target = is_plain_text(value) ? PyTuple_Pack(3, value, value, site->category)
                                  : given_target(state, call, is_early, value);
    Py_DECREF(value);
    return target;
}

/* Return the id, the name and the type of what the call acts on: `composition._target`. */
PyObject *
target_of(Site *site, Call *call, PyObject *is_early)
{
    State *state = site->state;
    if (!site->has_target) {
        return PyTuple_Pack(3, state->no_text, site->category, site->category);
    }
    PyObject *argument, *target;
    int result = site->names_target ? NOT_PLAIN : argument_of(site->target, call, &argument);
    if (result != DONE) {
        return result == FAILED ? NULL : ask_for_target(state, call, is_early);
    }
    target = target_in(site, call, is_early, argument);
    Py_DECREF(argument);
    return target;
}
