/* What each call reads of others: the fields of `AuditTrail`, and of its context's `Scope`, `_Stack` and `Scene`. */

#include "native.h"

#define DEFINE_TYPE(Type, LIST, make)                                                                                  \
    DEFINE_FIELDS(Type, LIST, AS_MEMBER)                                                                               \
                                                                                                                       \
    static PyType_Slot Type##_slots[] = {FIELD_SLOTS(Type), {0, NULL}};                                                \
                                                                                                                       \
    PyTypeObject *make(PyObject *module)                                                                               \
    {                                                                                                                  \
        return MAKE_TYPE(module, Type, Type##_slots);                                                                  \
    }

DEFINE_TYPE(Trail, TRAIL_FIELDS, make_trail_type)
DEFINE_TYPE(Scope, SCOPE_FIELDS, make_scope_type)
DEFINE_TYPE(Stack, STACK_FIELDS, make_stack_type)
DEFINE_TYPE(Scene, SCENE_FIELDS, make_scene_type)
