/* One audited function: what its declaration asks of every call, and the methods of `capture.site.Site` that all need.
 */

#include "native.h"

DEFINE_FIELDS(Site, SITE_FIELDS, AS_CONSTANT)

static int
read_object(PyObject *declared, PyObject *name, PyObject **object)
{
    PyObject *found = PyObject_GetAttr(declared, name);
    if (found == NULL) {
        return -1;
    }
    Py_XSETREF(*object, found);
    return 0;
}

static int
read_flag(PyObject *declared, PyObject *name, char *flag)
{
    int truth = is_true(declared, name);
    *flag = truth > 0;
    return truth < 0 ? -1 : 0;
}

/* Read where a reference finds its value: `Compiled.place`. */
static int
read_place(State *state, PyObject *declared, PyObject *name, PyObject **place, char *is_there)
{
    PyObject *compiled = PyObject_GetAttr(declared, name);
    if (compiled == NULL) {
        return -1;
    }
    *is_there = compiled != Py_None;
    PyObject *found = *is_there ? PyObject_GetAttr(compiled, state->names.place) : Py_NewRef(Py_None);
    Py_DECREF(compiled);
    if (found == NULL) {
        return -1;
    }
    if (found != Py_None && !(PyTuple_Check(found) && PyTuple_GET_SIZE(found) == 3)) {
        PyErr_SetString(PyExc_TypeError, "a reference's place is a tuple of three, or None");
        Py_DECREF(found);
        return -1;
    }
    Py_XSETREF(*place, found);
    return 0;
}

/* Read whether something was stated at all. */
static int
read_presence(PyObject *declared, PyObject *name, char *flag)
{
    PyObject *found = PyObject_GetAttr(declared, name);
    *flag = found != NULL && found != Py_None;
    Py_XDECREF(found);
    return found == NULL ? -1 : 0;
}

static int
read_declaration(Site *self)
{
    State *state = self->state;
    PyObject *declared = self->declared;
    char has_fields, has_exclude;
#define OBJECT(named) read_object(declared, state->names.named, &self->named) < 0
#define FLAG(named, field) read_flag(declared, state->names.named, &self->field) < 0
#define PRESENCE(named, field) read_presence(declared, state->names.named, &field) < 0
#define PLACE(named) read_place(state, declared, state->names.named, &self->named, &self->has_##named) < 0
    if (OBJECT(action) || OBJECT(action_type) || OBJECT(category) || PLACE(before) || PLACE(after) || PLACE(target) ||
        FLAG(awaits, awaits) || FLAG(early_target, early_target) || FLAG(early_who, early_who) ||
        FLAG(judges, judges) || FLAG(looks_first, looks_first) || FLAG(observes, observes) ||
        FLAG(only_changed, only_changed) || FLAG(overlays, overlays) || FLAG(redact, redacts) || FLAG(states, states) ||
        PRESENCE(target_name, self->names_target) || PRESENCE(fields, has_fields) ||
        read_flag(declared, state->names.exclude, &has_exclude) < 0 ||
        PRESENCE(on_audit_error, self->states_on_audit_error)) {
        return -1;
    }
    self->chooses = has_fields || has_exclude;
    return 0;
}

static PyObject *
new_site(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    (void)args;
    (void)kwargs;
    PyObject *module = PyType_GetModuleByDef(type, &module_definition);
    if (module == NULL || !is_ready(state_of(module))) {
        return NULL;
    }
    Site *self = (Site *)type->tp_alloc(type, 0);
    if (self != NULL) {
        self->state = state_of(module);
    }
    return (PyObject *)self;
}

static int
init(Site *self, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"wrapped", "declared", "given", NULL};
    PyObject *wrapped, *declared, *given;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOO:Site", keywords, &wrapped, &declared, &given)) {
        return -1;
    }
    Py_XSETREF(self->wrapped, Py_NewRef(wrapped));
    Py_XSETREF(self->declared, Py_NewRef(declared));
    Py_XSETREF(self->given, Py_NewRef(given));
    return read_declaration(self);
}

/* Whether a site was initialised: everything of it is there. */
int
is_made(Site *self)
{
    return HAS_ALL(SITE_FIELDS, Site);
}

static PyObject *
method_begin(Site *self, PyObject *const *arguments, Py_ssize_t count)
{
    if (count != 4 || !PyTuple_CheckExact(arguments[2]) || !PyDict_Check(arguments[3]) || !is_made(self)) {
        PyErr_SetString(PyExc_TypeError, "begin takes the trail, the scope, and the arguments as a tuple and a dict");
        return NULL;
    }
    return begin(self, arguments[0], arguments[1], arguments[2], arguments[3]);
}

static PyObject *
method_returned(Site *self, PyObject *call)
{
    if (!is_call(self->state, call) || !is_made(self)) {
        PyErr_SetString(PyExc_TypeError, "returned takes a call that was begun");
        return NULL;
    }
    return returned(self, (Call *)call) < 0 ? NULL : Py_NewRef(Py_None);
}

static PyMethodDef methods[] = {
    {"begin", (PyCFunction)(void (*)(void))method_begin, METH_FASTCALL, "Read what must be read before the call."},
    {"returned", (PyCFunction)method_returned, METH_O, "Record a call that returned."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "What every call of one audited function needs; capture/site.py has the rest."},
    {Py_tp_new, new_site},
    {Py_tp_init, init},
    {Py_tp_methods, methods},
    FIELD_SLOTS(Site),
    {0, NULL},
};

PyTypeObject *
make_site_type(PyObject *module)
{
    return MAKE_TYPE(module, Site, slots);
}
