/* Types whose fields are objects: what Python sees as slots, and what the garbage collector asks of them.
 *
 * A list of fields names a macro for each of them: `LIST(each, Type)` is `each(Type, first) each(Type, second)` and so
 * on. An unset field is NULL, and an AttributeError for Python.
 */

#ifndef AUDITKIT_FIELDS_H
#define AUDITKIT_FIELDS_H

#include <Python.h>

#include <stddef.h>
#include <structmember.h>

#define AS_OBJECT(Type, name) PyObject *name;
#define AS_MEMBER(Type, name) {#name, T_OBJECT_EX, offsetof(Type, name), 0, NULL},
#define AS_CONSTANT(Type, name) {#name, T_OBJECT_EX, offsetof(Type, name), READONLY, NULL},
#define AS_VISIT(Type, name) Py_VISIT(((Type *)self)->name);
#define AS_CLEAR(Type, name) Py_CLEAR(((Type *)self)->name);
#define AS_THERE(Type, name) &&((Type *)self)->name != NULL

#define DEFINE_FIELDS(Type, LIST, MEMBER)                                                                              \
    static PyMemberDef Type##_members[] = {LIST(MEMBER, Type){NULL, 0, 0, 0, NULL}};                                   \
                                                                                                                       \
    static int Type##_traverse(PyObject *self, visitproc visit, void *arg)                                             \
    {                                                                                                                  \
        Py_VISIT(Py_TYPE(self));                                                                                       \
        LIST(AS_VISIT, Type)                                                                                           \
        return 0;                                                                                                      \
    }                                                                                                                  \
                                                                                                                       \
    static int Type##_clear(PyObject *self)                                                                            \
    {                                                                                                                  \
        LIST(AS_CLEAR, Type)                                                                                           \
        return 0;                                                                                                      \
    }                                                                                                                  \
                                                                                                                       \
    static void Type##_dealloc(PyObject *self)                                                                         \
    {                                                                                                                  \
        PyTypeObject *type = Py_TYPE(self);                                                                            \
        PyObject_GC_UnTrack(self);                                                                                     \
        (void)Type##_clear(self);                                                                                      \
        type->tp_free(self);                                                                                           \
        Py_DECREF(type);                                                                                               \
    }

/* Whether all fields of `self` are there. */
#define HAS_ALL(LIST, Type) (1 LIST(AS_THERE, Type))

#define FIELD_SLOTS(Type)                                                                                              \
    {Py_tp_members, Type##_members}, {Py_tp_traverse, Type##_traverse}, {Py_tp_clear, Type##_clear},                   \
    {                                                                                                                  \
        Py_tp_dealloc, Type##_dealloc                                                                                  \
    }

/* Make a type, whose fields `copy` and `pickle` find where they find those of a class in Python. */
static inline PyTypeObject *
make_type(PyObject *module, PyType_Spec *spec, const PyMemberDef *fields)
{
    PyObject *type = PyType_FromModuleAndSpec(module, spec, NULL), *names = PyList_New(0);
    int result = type == NULL || names == NULL ? -1 : 0;
    for (; result == 0 && fields->name != NULL; fields++) {
        PyObject *name = PyUnicode_InternFromString(fields->name);
        result = name == NULL ? -1 : PyList_Append(names, name);
        Py_XDECREF(name);
    }
    if (result == 0) {
        result = PyObject_SetAttrString(type, "__slots__", names);
    }
    Py_XDECREF(names);
    if (result < 0) {
        Py_CLEAR(type);
    }
    return (PyTypeObject *)type;
}

/* Make a type that Python derives its class from. */
#define MAKE_TYPE(module, Type, its_slots)                                                                             \
    make_type(module,                                                                                                  \
              &(PyType_Spec){.name = "auditkit.native._compiled." #Type,                                               \
                             .basicsize = sizeof(Type),                                                                \
                             .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,                   \
                             .slots = its_slots},                                                                      \
              Type##_members)

#endif
