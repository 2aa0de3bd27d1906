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
 * `PyErr_GetHandledException` tells the topmost of all frames; what is set is this frame's, or this generator's. What a
 * generator only sees of who runs it must not be put into it, so its own is read where the interpreter keeps it.
 */
PyObject *
begin_handling(PyObject *error)
{
    PyObject *before = PyThreadState_Get()->exc_info->exc_value;
    before = before == Py_None ? NULL : Py_XNewRef(before);
    PyErr_SetHandledException(error);
    return before;
}

void
end_handling(PyObject *before)
{
    PyErr_SetHandledException(before);
    Py_XDECREF(before);
}
