/* What is known of one audited call: the fields of `capture.call.Call`. */

#include "native.h"

DEFINE_FIELDS(Call, CALL_FIELDS, AS_MEMBER)

/* Let no field be deleted: a call looks once whether they are all there, and runs the application's code after that. */
static int
set(PyObject *self, PyObject *name, PyObject *value)
{
    if (value == NULL) {
        PyErr_Format(PyExc_AttributeError, "%U of a call can be changed, not deleted", name);
        return -1;
    }
    return PyObject_GenericSetAttr(self, name, value);
}

static PyType_Slot slots[] = {
    {Py_tp_doc, "The fields of an audited call; capture/call.py says what each of them is."},
    {Py_tp_setattro, set},
    FIELD_SLOTS(Call),
    {0, NULL},
};

PyTypeObject *
make_call_type(PyObject *module)
{
    return MAKE_TYPE(module, Call, slots);
}

/* Whether an object is a call that was begun: one whose fields are all there. */
int
is_call(State *state, PyObject *self)
{
    if (!PyObject_TypeCheck(self, state->call_type)) {
        return 0;
    }
    return HAS_ALL(CALL_FIELDS, Call);
}

/* Let go of what belongs to the application: `Call.release`. */
void
release(State *state, Call *call)
{
    Py_XSETREF(call->args, Py_NewRef(state->no_arguments));
#define TO_NONE(name) Py_XSETREF(call->name, Py_NewRef(Py_None));
    TO_NONE(kwargs)
    TO_NONE(parent)
    TO_NONE(before)
    TO_NONE(result)
    TO_NONE(error)
    TO_NONE(said)
    TO_NONE(awaited)
}
