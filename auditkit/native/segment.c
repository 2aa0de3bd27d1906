/* One record written to its segment: `segment.Segment.append`. */

#include "native.h"

typedef struct {
    PyObject_HEAD
    SEGMENT_FIELDS(AS_OBJECT, Segment)
} Segment;

DEFINE_FIELDS(Segment, SEGMENT_FIELDS, AS_MEMBER)

/* Return the line of these digits and this body: `frames.line`. */
static PyObject *
line_of(PyObject *digits, PyObject *body)
{
    Py_ssize_t first = PyBytes_GET_SIZE(digits), second = PyBytes_GET_SIZE(body);
    PyObject *line = PyBytes_FromStringAndSize(NULL, first + second + 2);
    if (line != NULL) {
        char *end = PyBytes_AS_STRING(line);
        memcpy(end, PyBytes_AS_STRING(digits), first);
        end[first] = ' ';
        memcpy(end + first + 1, PyBytes_AS_STRING(body), second);
        end[first + second + 1] = '\n';
    }
    return line;
}

/* Have Python judge what went wrong in writing: it raises. */
static void
stumble(State *state, PyObject *self, PyObject *line, PyObject *after)
{
    PyObject *error = raised_exception(), *before = begin_handling(error);
    PyObject *done = PyObject_CallMethodObjArgs(self, state->names._stumble, error, line, after, NULL);
    end_handling(before);
    if (done != NULL) {
        Py_DECREF(done);
        raise_again(Py_NewRef(error));
    }
    Py_DECREF(error);
}

/* Write a whole line at an offset. */
static int
put_line(State *state, Segment *self, PyObject *line, PyObject *at)
{
    PyObject *fd = PyObject_GetAttr(self->_file, state->names.fd);
    if (fd == NULL) {
        return -1;
    }
    PyObject *arguments[] = {state->used.files, fd, line, at};
    PyObject *written = PyObject_VectorcallMethod(state->names.pwrite, arguments, 4, NULL);
    if (written != NULL && PyLong_AsSsize_t(written) != PyBytes_GET_SIZE(line)) {
        Py_SETREF(written,
                  PyErr_Occurred() ? NULL : PyObject_VectorcallMethod(state->names.write_at, arguments, 4, NULL));
    }
    Py_XDECREF(written);
    Py_DECREF(fd);
    return written == NULL ? -1 : 0;
}

/* Write one record; return how many come before it, or None where there is no room for it. */
PyObject *
appended(State *state, PyObject *object, PyObject *body)
{
    Segment *self = (Segment *)object;
    PyObject *place = self->_place;
    if (!PyBytes_Check(body) || place == NULL || !PyTuple_Check(place) || PyTuple_GET_SIZE(place) != 3 ||
        self->_limit == NULL || self->_chain == NULL || self->_file == NULL ||
        !PyObject_TypeCheck(self->_chain, state->chain_type)) {
        PyErr_SetString(PyExc_TypeError, "append takes a body as bytes, for a segment that was made");
        return NULL;
    }
    Py_ssize_t at = PyLong_AsSsize_t(PyTuple_GET_ITEM(place, 0)), limit = PyLong_AsSsize_t(self->_limit);
    Py_ssize_t count = PyLong_AsSsize_t(PyTuple_GET_ITEM(place, 1));
    if (PyErr_Occurred()) {
        return NULL;
    }
    if (at + PyBytes_GET_SIZE(body) > limit) {
        Py_RETURN_NONE;
    }
    Py_INCREF(place);
    PyObject *records = NULL, *line = NULL, *after = NULL;
    PyObject *digits = linked(state, self->_chain, PyTuple_GET_ITEM(place, 2), body);
    if (digits != NULL && (line = line_of(digits, body)) != NULL) {
        after = Py_BuildValue("nnO", at + PyBytes_GET_SIZE(line), count + 1, digits);
    }
    if (after != NULL) {
        if (put_line(state, self, line, PyTuple_GET_ITEM(place, 0)) < 0) {
            stumble(state, object, line, after);
        }
        else { /* nothing that could be interrupted lies between */
            Py_SETREF(self->_place, Py_NewRef(after));
            records = PyLong_FromSsize_t(count);
        }
    }
    Py_XDECREF(after);
    Py_XDECREF(line);
    Py_XDECREF(digits);
    Py_DECREF(place);
    return records;
}

static PyObject *
method_append(PyObject *self, PyTypeObject *type, PyObject *const *arguments, Py_ssize_t count, PyObject *names)
{
    State *state = state_of(PyType_GetModule(type));
    if (!is_ready_to_write(state)) {
        return NULL;
    }
    if (count != 1 || names != NULL) {
        PyErr_SetString(PyExc_TypeError, "append takes a body");
        return NULL;
    }
    return appended(state, self, arguments[0]);
}

static PyMethodDef methods[] = {
    {"append", (PyCFunction)(void (*)(void))method_append, METH_METHOD | METH_FASTCALL | METH_KEYWORDS,
     "Write one record; return how many come before it, or None where there is no room for it."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "Where a process's records go; journal/segment.py has the rest."},
    {Py_tp_methods, methods},
    FIELD_SLOTS(Segment),
    {0, NULL},
};

PyTypeObject *
make_segment_type(PyObject *module)
{
    return MAKE_TYPE(module, Segment, slots);
}
