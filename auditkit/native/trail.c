/* What calls ask of a trail: the fields of `trail.AuditTrail` that each of them reads. */

#include "native.h"

#define TYPE Trail
#define FIELDS TRAIL_FIELDS
#include "fields.h"

static PyType_Slot slots[] = {
    {Py_tp_doc, "What each call asks of a trail; trail/audit_trail.py says what it is."},
    FIELD_SLOTS,
    {0, NULL},
};

PyTypeObject *
make_trail_type(PyObject *module)
{
    return MAKE_TYPE(module, "Trail", slots);
}
