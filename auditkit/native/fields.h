/* A type's fields that Python sees as its slots, and what the garbage collector asks of them.
 *
 * Before it is included, TYPE is a struct of a PyObject_HEAD and more, and FIELDS(each) lists those of its fields that
 * are objects; an unset one is NULL, and an AttributeError for Python.
 */

#include <stddef.h>
#include <structmember.h>

#define AS_MEMBER(name) {#name, T_OBJECT_EX, offsetof(TYPE, name), 0, NULL},
#define AS_VISIT(name) Py_VISIT(self->name);
#define AS_CLEAR(name) Py_CLEAR(self->name);

static PyMemberDef members[] = {FIELDS(AS_MEMBER){NULL, 0, 0, 0, NULL}};

static int
traverse(TYPE *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    FIELDS(AS_VISIT)
    return 0;
}

static int
clear(TYPE *self)
{
    FIELDS(AS_CLEAR)
    return 0;
}

static void
dealloc(TYPE *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

#define FIELD_SLOTS                                                                                                    \
    {Py_tp_members, members}, {Py_tp_traverse, traverse}, {Py_tp_clear, clear}, {Py_tp_dealloc, dealloc}

/* Make a type that Python derives its class from. */
#define MAKE_TYPE(module, named, its_slots)                                                                            \
    (PyTypeObject *)PyType_FromModuleAndSpec(                                                                          \
        module,                                                                                                        \
        &(PyType_Spec){.name = "auditkit.native._compiled." named,                                                     \
                       .basicsize = sizeof(TYPE),                                                                      \
                       .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,                         \
                       .slots = its_slots},                                                                            \
        NULL)
