/* Exceptions: the one that is set, taken and raised again on each Python; and the one that is handled. */

#include "native.h"

PyObject *
raised_exception(void)
{
#if PY_VERSION_HEX >= 0x030c0000
    return PyErr_GetRaisedException();
#else
    PyObject *type, *error, *traceback;
    PyErr_Fetch(&type, &error, &traceback);
    PyErr_NormalizeException(&type, &error, &traceback);
    if (traceback != NULL) {
        PyException_SetTraceback(error, traceback);
    }
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return error;
#endif
}

void
raise_again(PyObject *error)
{
#if PY_VERSION_HEX >= 0x030c0000
    PyErr_SetRaisedException(error);
#else
    PyErr_Restore(Py_NewRef(Py_TYPE(error)), error, PyException_GetTraceback(error));
#endif
}

/* Let an exception be the one that is handled, as in an `except` clause: what runs then can ask for it, and what is
 * raised then is raised in its context. Give back what was handled here before, for `end_handling`.
 *
 * What is asked for is the topmost of all frames; what is set is this frame's, or this generator's. So what a generator
 * only sees of who runs it must not be put into it.
 */
PyObject *
begin_handling(PyObject *error)
{
    PyObject *before = PyErr_GetHandledException();
    PyErr_SetHandledException(NULL);
    PyObject *below = PyErr_GetHandledException();
    if (before == below) {
        Py_CLEAR(before);
    }
    Py_XDECREF(below);
    PyErr_SetHandledException(error);
    return before;
}

void
end_handling(PyObject *before)
{
    PyErr_SetHandledException(before);
    Py_XDECREF(before);
}
