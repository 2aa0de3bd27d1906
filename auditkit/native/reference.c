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
    if (found == NULL) {  /* a default, or nothing at all */
        return PyErr_Occurred() ? FAILED : NOT_PLAIN;
    }
    *value = Py_NewRef(found);
    return DONE;
}

/* Read what a reference refers to; where that raises, Python reads it again, and tells of it. */
static int
read_reference(State *state, PyObject *place, Call *call, PyObject **value)
{
    PyObject *argument;
    int result = argument_of(place, call, &argument);
    if (result != DONE) {
        return result;
    }
    PyObject *segment = PyTuple_GET_ITEM(place, SEGMENT);
    if (segment == Py_None) {
        *value = argument;
        return DONE;
    }
    *value = NULL;
    PyObject *way = looked_up(state->used.WAYS, (PyObject *)Py_TYPE(argument));
    int is_known = way != NULL && (way == state->getattr || PyDict_CheckExact(argument));
    if (is_known) {
        *value = PyDict_CheckExact(argument) ? PyObject_GetItem(argument, segment) : PyObject_GetAttr(argument, segment);
    }
    Py_XDECREF(way);
    Py_DECREF(argument);
    return *value != NULL ? DONE : PyErr_Occurred() ? contained(state) : NOT_PLAIN;
}

static PyObject *
ask_for_target(State *state, Call *call, PyObject *value, PyObject *is_early)
{
    PyObject *arguments[] = {(PyObject *)call, is_early, value};
    return PyObject_Vectorcall(state->used.target, arguments, value == NULL ? 2 : 3, NULL);
}

/* Return the id, the name and the type of what the call acts on: `composition._target`. */
PyObject *
target_of(Site *site, Call *call, PyObject *is_early)
{
    State *state = site->state;
    if (!site->has_target) {
        return PyTuple_Pack(3, state->no_text, site->category, site->category);
    }
    PyObject *value = NULL, *target;
    int result = site->names_target ? NOT_PLAIN : read_reference(state, site->target, call, &value);
    if (result == FAILED) {
        return NULL;
    }
    if (result == DONE && is_plain_text(value)) {
        target = PyTuple_Pack(3, value, value, site->category);
    }
    else {
        target = ask_for_target(state, call, value, is_early);
    }
    Py_XDECREF(value);
    return target;
}

