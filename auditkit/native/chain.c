/* The digits that link a line to the line before it: `frames.Chain`. */

#include "native.h"

enum { DIGITS = 64, DIGEST = 32 };

typedef struct {
    PyObject_HEAD
    CHAIN_FIELDS(AS_OBJECT, Chain)
} Chain;

DEFINE_FIELDS(Chain, CHAIN_FIELDS, AS_MEMBER)

/* Return a hash that goes on where another one is, with more data. */
static PyObject *
continued(State *state, PyObject *hash, PyObject *data)
{
    PyObject *copy = PyObject_CallMethodNoArgs(hash, state->names.copy);
    PyObject *updated = copy == NULL ? NULL : PyObject_CallMethodOneArg(copy, state->names.update, data);
    if (updated == NULL) {
        Py_CLEAR(copy);
    }
    Py_XDECREF(updated);
    return copy;
}

/* Return the hash of data: SHA-256, or HMAC-SHA-256 by its two keyed states (RFC 2104). */
static PyObject *
hash_of(State *state, PyObject *keyed, PyObject *data)
{
    if (keyed == Py_None) {
        return PyObject_CallOneArg(state->used.sha256, data);
    }
    PyObject *hash = NULL, *inner = continued(state, PyTuple_GET_ITEM(keyed, 0), data);
    PyObject *digest = inner == NULL ? NULL : PyObject_CallMethodNoArgs(inner, state->names.digest);
    if (digest != NULL) {
        hash = continued(state, PyTuple_GET_ITEM(keyed, 1), digest);
        Py_DECREF(digest);
    }
    Py_XDECREF(inner);
    return hash;
}

/* Return the hexadecimal digits of a digest, as bytes. */
static PyObject *
digits_of(PyObject *digest)
{
    if (!PyBytes_Check(digest) || PyBytes_GET_SIZE(digest) != DIGEST) {
        PyErr_SetString(PyExc_ValueError, "the digest is not one of SHA-256");
        return NULL;
    }
    PyObject *digits = PyBytes_FromStringAndSize(NULL, DIGITS);
    if (digits != NULL) {
        const unsigned char *from = (const unsigned char *)PyBytes_AS_STRING(digest);
        char *to = PyBytes_AS_STRING(digits);
        for (int at = 0; at < DIGEST; at++) {
            *to++ = "0123456789abcdef"[from[at] >> 4];
            *to++ = "0123456789abcdef"[from[at] & 15];
        }
    }
    return digits;
}

/* Return the digits of the line that holds a body after the line with the digits `previous`: `Chain.link`. */
PyObject *
linked(State *state, PyObject *self, PyObject *previous, PyObject *body)
{
    PyObject *keyed = ((Chain *)self)->_keyed;
    if (!PyBytes_Check(previous) || !PyBytes_Check(body) || keyed == NULL ||
        !(keyed == Py_None || (PyTuple_Check(keyed) && PyTuple_GET_SIZE(keyed) == 2))) {
        PyErr_SetString(PyExc_TypeError, "link takes the digits of the line before, and a body, both as bytes");
        return NULL;
    }
    Py_INCREF(keyed);
    PyObject *hash = NULL, *digits = NULL;
    PyObject *data = PyBytes_FromStringAndSize(NULL, PyBytes_GET_SIZE(previous) + PyBytes_GET_SIZE(body));
    if (data != NULL) {
        memcpy(PyBytes_AS_STRING(data), PyBytes_AS_STRING(previous), PyBytes_GET_SIZE(previous));
        memcpy(PyBytes_AS_STRING(data) + PyBytes_GET_SIZE(previous), PyBytes_AS_STRING(body), PyBytes_GET_SIZE(body));
        hash = hash_of(state, keyed, data);
        Py_DECREF(data);
    }
    if (hash != NULL) {
        PyObject *digest = PyObject_CallMethodNoArgs(hash, state->names.digest);
        digits = digest == NULL ? NULL : digits_of(digest);
        Py_XDECREF(digest);
        Py_DECREF(hash);
    }
    Py_DECREF(keyed);
    return digits;
}

static PyObject *
method_link(PyObject *self, PyTypeObject *type, PyObject *const *arguments, Py_ssize_t count, PyObject *names)
{
    State *state = state_of(PyType_GetModule(type));
    if (!is_ready_to_write(state)) {
        return NULL;
    }
    if (count != 2 || names != NULL) {
        PyErr_SetString(PyExc_TypeError, "link takes the digits of the line before, and a body");
        return NULL;
    }
    return linked(state, self, arguments[0], arguments[1]);
}

static PyMethodDef methods[] = {
    {"link", (PyCFunction)(void (*)(void))method_link, METH_METHOD | METH_FASTCALL | METH_KEYWORDS,
     "Return the digits of the line that holds a body after the line with these digits."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "What links lines; journal/frames.py makes it."},
    {Py_tp_methods, methods},
    FIELD_SLOTS(Chain),
    {0, NULL},
};

PyTypeObject *
make_chain_type(PyObject *module)
{
    return MAKE_TYPE(module, Chain, slots);
}
