/* A first look at a state, and what changed since: the short way of `snapshot.look`. */

#include "native.h"

/* Whether a value never changes in itself, by its exact type. */
static int
is_unchanging(PyObject *value)
{
    return PyUnicode_CheckExact(value) || PyLong_CheckExact(value) || value == Py_None || PyBool_Check(value) ||
           PyFloat_CheckExact(value);
}

/* The names and values of an object, in two tuples of one length. */
typedef struct {
    PyObject *names, *values;
} Columns;

static void
drop(Columns *columns)
{
    Py_CLEAR(columns->names);
    Py_CLEAR(columns->values);
}

/* Read an instance's own dict. No code runs meanwhile, so that names and values belong together. */
static int
read_held(State *state, PyObject *held, Columns *columns)
{
    if (!PyDict_CheckExact(held) || PyDict_GET_SIZE(held) > PyLong_AsSsize_t(state->used.most)) {
        return NOT_PLAIN;
    }
    Py_ssize_t count = PyDict_GET_SIZE(held), at = 0, place = 0;
    PyObject *name, *value;
    columns->names = PyTuple_New(count);
    columns->values = PyTuple_New(count);
    if (columns->names == NULL || columns->values == NULL || PyDict_GET_SIZE(held) != count) {
        return PyErr_Occurred() ? FAILED : NOT_PLAIN; /* making them may have run a finaliser */
    }
    while (place < count && PyDict_Next(held, &at, &name, &value)) {
        PyTuple_SET_ITEM(columns->names, place, Py_NewRef(name));
        PyTuple_SET_ITEM(columns->values, place++, Py_NewRef(value));
    }
    return place == count ? DONE : NOT_PLAIN;
}

/* Read the names and values of an object by a plan's short way: `SlotColumns`, `HeldColumns`, or a dict's own. */
static int
read_columns(State *state, PyObject *way, PyObject *object, Columns *columns)
{
    PyObject *type = (PyObject *)Py_TYPE(way);
    if (type == state->used.SlotColumns) {
        columns->names = PyObject_GetAttr(way, state->names.names);
        PyObject *read = columns->names == NULL ? NULL : PyObject_GetAttr(way, state->names.read);
        columns->values = read == NULL ? NULL : PyObject_CallOneArg(read, object);
        Py_XDECREF(read);
        if (columns->values == NULL) {
            return contained(state);
        }
        int match = PyTuple_CheckExact(columns->names) && PyTuple_CheckExact(columns->values) &&
                    PyTuple_GET_SIZE(columns->names) == PyTuple_GET_SIZE(columns->values);
        return match ? DONE : NOT_PLAIN;
    }
    if (type == state->used.HeldColumns) {
        PyObject *held = PyObject_GetAttr(way, state->names.held);
        Py_XSETREF(held, held == NULL ? NULL : PyObject_CallOneArg(held, object));
        if (held == NULL) {
            return contained(state);
        }
        int result = read_held(state, held, columns);
        Py_DECREF(held);
        return result;
    }
    return PyDict_CheckExact(object) ? read_held(state, object, columns) : NOT_PLAIN;
}

/* Read an object's columns as a plan says. */
static int
read_object(State *state, PyObject *plan, PyObject *object, Columns *columns)
{
    PyObject *way = PyObject_GetAttr(plan, state->names.columns);
    int result = way == NULL ? FAILED : way == Py_None ? NOT_PLAIN : read_columns(state, way, object, columns);
    Py_XDECREF(way);
    return result;
}

/* Whether there is a field among these: an object that shows nothing is no empty one. */
static int
shows_any(State *state, PyObject *plan, PyObject *names)
{
    for (Py_ssize_t at = 0; at < PyTuple_GET_SIZE(names); at++) {
        PyObject *name = PyTuple_GET_ITEM(names, at);
        if (PyUnicode_CheckExact(name) && PyUnicode_GET_LENGTH(name) > 0 && PyUnicode_READ_CHAR(name, 0) != '_') {
            return DONE;
        }
    }
    int all_names = is_true(plan, state->names.private);
    return all_names < 0 ? FAILED : all_names ? DONE : NOT_PLAIN;
}

/* Make what was seen of an object: names, values, and the plan that they were read by. */
int
looked(State *state, PyObject *object, PyObject **seen)
{
    PyObject *plan = looked_up(state->used.PLANS, (PyObject *)Py_TYPE(object));
    if (plan == NULL) {
        return contained(state);
    }
    Columns columns = {NULL, NULL};
    int result = read_object(state, plan, object, &columns);
    if (result == DONE) {
        result = shows_any(state, plan, columns.names);
        for (Py_ssize_t at = 0; result == DONE && at < PyTuple_GET_SIZE(columns.values); at++) {
            result = is_unchanging(PyTuple_GET_ITEM(columns.values, at)) ? DONE : NOT_PLAIN;
        }
        if (result == DONE && (*seen = PyTuple_Pack(3, columns.names, columns.values, plan)) == NULL) {
            result = FAILED;
        }
    }
    drop(&columns);
    Py_DECREF(plan);
    return result;
}

/* Return how many characters a value takes at most, or -1 where a snapshot may change it. */
static Py_ssize_t
size_of(PyObject *value)
{
    enum { WORD = 5, NUMBER = 24 };
    if (PyUnicode_CheckExact(value)) {
        return PyUnicode_IS_ASCII(value) ? PyUnicode_GET_LENGTH(value) : -1;
    }
    if (value == Py_None || PyBool_Check(value)) {
        return WORD;
    }
    if (PyLong_CheckExact(value)) {
        int overflow;
        (void)PyLong_AsLongLongAndOverflow(value, &overflow);
        return overflow ? -1 : NUMBER;
    }
    if (PyFloat_CheckExact(value)) {
        double number = PyFloat_AS_DOUBLE(value);
        return number - number == 0.0 ? NUMBER : -1;
    }
    return -1;
}

/* Whether two tuples hold the same names, all of them texts. */
static int
are_same(PyObject *names, PyObject *others)
{
    if (names == others) {
        return 1;
    }
    Py_ssize_t count = PyTuple_GET_SIZE(names);
    if (PyTuple_GET_SIZE(others) != count) {
        return 0;
    }
    for (Py_ssize_t at = 0; at < count; at++) {
        PyObject *name = PyTuple_GET_ITEM(names, at), *other = PyTuple_GET_ITEM(others, at);
        if (!PyUnicode_CheckExact(name) || !PyUnicode_CheckExact(other)) {
            return 0;
        }
        if (name != other && PyUnicode_Compare(name, other) != 0) {
            return 0;
        }
    }
    return 1;
}

/* Add one changed field under its two keys. */
static int
note(State *state, PyObject **changes, PyObject *name, PyObject *old, PyObject *now, int all_names)
{
    PyObject *keys = looked_up(state->used.names, name);
    if (keys == NULL) {
        return contained(state);
    }
    int result = NOT_PLAIN;
    if (PyTuple_CheckExact(keys) && PyTuple_GET_SIZE(keys) == 3 &&
        (all_names || PyTuple_GET_ITEM(keys, 2) == Py_False)) {
        if (*changes == NULL) {
            *changes = PyDict_New();
        }
        result = *changes == NULL || PyDict_SetItem(*changes, PyTuple_GET_ITEM(keys, 0), old) < 0 ||
                         PyDict_SetItem(*changes, PyTuple_GET_ITEM(keys, 1), now) < 0
                     ? FAILED
                     : DONE;
    }
    Py_DECREF(keys);
    return result;
}

static int
compared(State *state, PyObject *seen, const Columns *columns, int all_names, PyObject **changes)
{
    PyObject *names = PyTuple_GET_ITEM(seen, 0), *values = PyTuple_GET_ITEM(seen, 1), *now = columns->values;
    if (!are_same(names, columns->names) || PyTuple_GET_SIZE(values) != PyTuple_GET_SIZE(now)) {
        return NOT_PLAIN;
    }
    Py_ssize_t size = 0, small = PyLong_AsSsize_t(state->used.small);
    for (Py_ssize_t at = 0; at < PyTuple_GET_SIZE(values); at++) {
        PyObject *old = PyTuple_GET_ITEM(values, at), *new = PyTuple_GET_ITEM(now, at);
        if (old == new) {
            continue;
        }
        Py_ssize_t first = size_of(old), second = size_of(new);
        if (first < 0 || second < 0 || (size += first + second) > small) {
            return NOT_PLAIN;
        }
        int same = Py_TYPE(old) == Py_TYPE(new) ? PyObject_RichCompareBool(old, new, Py_EQ) : 0;
        if (same < 0) {
            return FAILED;
        }
        PyObject *name = PyTuple_GET_ITEM(names, at);
        int result = same ? DONE : PyUnicode_CheckExact(name) ? note(state, changes, name, old, new, all_names) : 0;
        if (result != DONE) {
            return result;
        }
    }
    return DONE;
}

/* Make the changes since an object was seen: NULL where there are none. */
int
changed(State *state, PyObject *seen, PyObject *object, PyObject **changes)
{
    *changes = NULL;
    if (!PyTuple_CheckExact(seen) || PyTuple_GET_SIZE(seen) != 3) {
        return NOT_PLAIN;
    }
    PyObject *plan = looked_up(state->used.PLANS, (PyObject *)Py_TYPE(object));
    if (plan == NULL) {
        return contained(state);
    }
    Columns columns = {NULL, NULL};
    /* First, whether it is the same: to read another class so might run its code. */
    int result = plan == PyTuple_GET_ITEM(seen, 2) ? read_object(state, plan, object, &columns) : NOT_PLAIN;
    if (result == DONE) {
        int all_names = is_true(plan, state->names.private);
        result = all_names < 0 ? FAILED : compared(state, seen, &columns, all_names, changes);
    }
    drop(&columns);
    Py_DECREF(plan);
    if (result != DONE) {
        Py_CLEAR(*changes);
    }
    return result;
}

PyObject *
look(PyObject *module, PyObject *object)
{
    State *state = state_of(module);
    PyObject *seen = NULL;
    int result = is_ready(state) ? looked(state, object, &seen) : FAILED;
    return result == DONE ? seen : result == FAILED ? NULL : Py_NewRef(Py_None);
}

PyObject *
changes_since(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "changes_since takes what was seen, and the state");
        return NULL;
    }
    State *state = state_of(module);
    PyObject *changes = NULL;
    int result = is_ready(state) ? changed(state, arguments[0], arguments[1], &changes) : FAILED;
    if (result == DONE) {
        return changes == NULL ? PyDict_New() : changes;
    }
    return result == FAILED ? NULL : Py_NewRef(Py_None);
}
