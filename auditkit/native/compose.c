/* From a call that returned to the draft of its event: `composition.compose`. */

#include "native.h"

/* Return what changed, under the names it has in metadata: `composition._changes`. */
static PyObject *
changes_of(Site *site, Call *call)
{
    State *state = site->state;
    PyObject *object, *changes = NULL;
    int result = NOT_PLAIN;
    if (site->has_after && call->before != Py_None && is_whole(site->after)) {
        result = argument_of(site->after, call, &object);
        if (result == DONE) {
            PyObject *before = Py_NewRef(call->before);
            result = changed(state, before, object, &changes);
            Py_DECREF(before);
            Py_DECREF(object);
        }
    }
    if (result == NOT_PLAIN) {
        return PyObject_CallOneArg(state->used.changes, (PyObject *)call);
    }
    if (result == FAILED) {
        return NULL;
    }
    if (changes != NULL) {
        return changes;
    }
    if (PyUnicode_CompareWithASCIIString(site->action_type, "U") == 0) {
        PyObject *noted = PyObject_CallMethodOneArg(call->trail, state->names.note_unchanged, site->action);
        if (noted == NULL) {
            return NULL;
        }
        Py_DECREF(noted);
    }
    return Py_NewRef(state->nothing);
}

/* Return who acts and from where: `Scope.scene`, whose answer is kept in the scope until something is bound. */
static PyObject *
scene_of(State *state, Call *call)
{
    if (call->scope == Py_None) {
        return OF_TRAIL(state, call->trail, scene);
    }
    PyObject *scene = NULL, *defaults = OF_TRAIL(state, call->trail, defaults);
    PyObject *made = defaults == NULL ? NULL : OF_SCOPE(state, call->scope, _made);
    if (made != NULL && PyTuple_CheckExact(made) && PyTuple_GET_SIZE(made) == 3 &&
        PyTuple_GET_ITEM(made, 1) == defaults) {
        PyObject *stack = OF_SCOPE(state, call->scope, stack);
        PyObject *generation = stack == NULL ? NULL : OF_STACK(state, stack, generation);
        if (generation == PyTuple_GET_ITEM(made, 0)) {
            scene = Py_NewRef(PyTuple_GET_ITEM(made, 2));
        }
        Py_XDECREF(generation);
        Py_XDECREF(stack);
    }
    if (scene == NULL && made != NULL && !PyErr_Occurred()) {
        scene = PyObject_CallMethodOneArg(call->scope, state->names.scene, defaults);
    }
    Py_XDECREF(made);
    Py_XDECREF(defaults);
    return scene;
}

/* Ask the trail for what a scene lacks, and note what is wrong with that. */
static int
require(Site *site, Call *call, PyObject *scene)
{
    State *state = site->state;
    int lacks = truth_of(OF_SCENE(state, scene, missing));
    if (lacks <= 0) {
        return lacks;
    }
    PyObject *wrong = PyObject_CallMethodObjArgs(call->trail, state->names.require, scene, site->action, NULL);
    lacks = wrong == NULL ? -1 : PyObject_IsTrue(wrong);
    if (lacks > 0) {
        Py_XSETREF(call->trouble, Py_NewRef(wrong));
    }
    Py_XDECREF(wrong);
    return lacks < 0 ? -1 : 0;
}

/* Whether nothing in a scene's texts looks like a secret. */
static int
names_no_secret(State *state, PyObject *scene)
{
    PyObject *const names[] = {
        state->names.group,    state->names.actor_id,       state->names.actor_name,
        state->names.location, state->names.correlation_id,
    };
    int harmless = 1;
    for (size_t at = 0; harmless > 0 && at < sizeof(names) / sizeof(*names); at++) {
        PyObject *text = PyObject_GetAttr(scene, names[at]);
        harmless = text == NULL ? -1 : text == Py_None || is_harmless(text);
        Py_XDECREF(text);
    }
    return harmless;
}

/* Have what looks like a secret replaced in a scene's texts, once: `Redactor.judge`. */
static int
judge(State *state, Call *call, PyObject *scene)
{
    int judged = truth_of(OF_SCENE(state, scene, judged));
    if (judged != 0) {
        return judged < 0 ? -1 : 0;
    }
    PyObject *rules = OF_TRAIL(state, call->trail, redactor), *done = NULL;
    if (rules == NULL) {
        return -1;
    }
    int is_ours = Py_TYPE(rules) == (PyTypeObject *)state->used.redactor_class;
    int harmless = is_ours ? names_no_secret(state, scene) : 0;
    if (harmless > 0) {
        Py_DECREF(rules);
        return PyObject_SetAttr(scene, state->names.judged, Py_True);
    }
    if (harmless == 0) {
        done = PyObject_CallMethodOneArg(rules, state->names.judge, scene);
    }
    Py_DECREF(rules);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

/* Return the metadata that is around a call: `tracing.ambient`. */
static PyObject *
around(State *state, Call *call, PyObject *scene)
{
    int traces = truth_of(OF_TRAIL(state, call->trail, trace_ids));
    if (traces > 0) {
        traces = PyDict_Contains(state->modules, state->tracing);
    }
    if (traces < 0) {
        return NULL;
    }
    if (traces) {
        return PyObject_CallFunctionObjArgs(state->used.ambient, call->trail, scene, NULL);
    }
    return OF_SCENE(state, scene, metadata);
}

/* Return metadata with what else is stated of the call, or is around it. */
static PyObject *
completed(Site *site, Call *call, PyObject *scene, PyObject *metadata)
{
    State *state = site->state;
    PyObject *ambient = around(state, call, scene);
    int has_more = ambient == NULL ? -1 : PyObject_IsTrue(ambient);
    if (has_more < 0 || (!has_more && !site->states)) {
        Py_XDECREF(ambient);
        return has_more < 0 ? NULL : Py_NewRef(metadata);
    }
    PyObject *stated =
        site->states ? PyObject_CallOneArg(state->used.stated, (PyObject *)call) : Py_NewRef(state->nothing);
    PyObject *merged = NULL;
    if (stated != NULL) {
        merged = PyObject_CallFunctionObjArgs(state->used.merged, state->nothing, metadata, stated, ambient, NULL);
        Py_DECREF(stated);
    }
    Py_DECREF(ambient);
    return merged;
}

/* Return metadata without secrets: `Redactor.apply`. */
static PyObject *
redacted(State *state, PyObject *redactor, PyObject *metadata)
{
    int result = NOT_PLAIN;
    if (Py_TYPE(redactor) == (PyTypeObject *)state->used.redactor_class) {
        PyObject *decisions = PyObject_GetAttr(redactor, state->names._decisions);
        result = decisions == NULL ? FAILED : is_clean(state, decisions, metadata);
        Py_XDECREF(decisions);
    }
    if (result == DONE) {
        return Py_NewRef(metadata);
    }
    return result == FAILED ? NULL : PyObject_CallMethodOneArg(redactor, state->names.apply, metadata);
}

/* Return a target without what looks like a secret: `Redactor.target`. */
static PyObject *
shown_target(State *state, PyObject *redactor, PyObject *target)
{
    PyObject *of_target = PyTuple_GET_ITEM(target, 0), *name = PyTuple_GET_ITEM(target, 1);
    int is_ours = Py_TYPE(redactor) == (PyTypeObject *)state->used.redactor_class;
    if (is_ours && is_harmless(of_target) && (name == of_target || is_harmless(name))) {
        return Py_NewRef(target);
    }
    PyObject *both = PyObject_CallMethodObjArgs(redactor, state->names.target, of_target, name, NULL), *shown = NULL;
    if (both != NULL && !(PyTuple_Check(both) && PyTuple_GET_SIZE(both) == 2)) {
        PyErr_SetString(PyExc_TypeError, "what is shown of a target is its id and its name");
    }
    else if (both != NULL) {
        shown = PyTuple_Pack(3, PyTuple_GET_ITEM(both, 0), PyTuple_GET_ITEM(both, 1), PyTuple_GET_ITEM(target, 2));
    }
    Py_XDECREF(both);
    return shown;
}

/* Return the id of the call's event: one that a call inside it has asked for already, or a new one. */
static PyObject *
id_of(State *state, Call *call, PyObject *now)
{
    if (!PyList_CheckExact(call->ids)) {
        return PyObject_CallMethodNoArgs((PyObject *)call, state->names.event_id);
    }
    if (PyList_GET_SIZE(call->ids) == 0) {
        PyObject *made = id_at(state, state->used.new_id, now);
        int failed = made == NULL || PyList_Append(call->ids, made) < 0;
        Py_XDECREF(made);
        if (failed) {
            return NULL;
        }
    }
    return Py_NewRef(PyList_GET_ITEM(call->ids, 0));
}

/* Make a `draft.Draft` of its fields. */
static PyObject *
draft_of(State *state, PyObject *const *fields)
{
    enum { FIELD_COUNT = 10 };
    PyTypeObject *type = (PyTypeObject *)state->used.draft_type;
#if PY_VERSION_HEX >= 0x030e0000
    /* A tuple has more than its items there, which only its own type fills in. */
    PyObject *items = PyTuple_New(FIELD_COUNT);
    for (Py_ssize_t at = 0; items != NULL && at < FIELD_COUNT; at++) {
        PyTuple_SET_ITEM(items, at, Py_NewRef(fields[at]));
    }
    PyObject *arguments = items == NULL ? NULL : PyTuple_Pack(1, items);
    PyObject *draft = arguments == NULL ? NULL : PyTuple_Type.tp_new(type, arguments, NULL);
    Py_XDECREF(arguments);
    Py_XDECREF(items);
#else
    PyObject *draft = type->tp_alloc(type, FIELD_COUNT);
    for (Py_ssize_t at = 0; draft != NULL && at < FIELD_COUNT; at++) {
        PyTuple_SET_ITEM(draft, at, Py_NewRef(fields[at]));
    }
#endif
    return draft;
}

/* Return the draft of a call that returned, or None where nothing of it is to be recorded: `composition.compose`. */
PyObject *
compose(Site *site, Call *call, PyObject *redactor)
{
    State *state = site->state;
    PyObject *scene = NULL, *metadata = NULL, *target = NULL, *event_id = NULL, *parent_id = NULL, *draft = NULL;
    PyObject *now = OF_TRAIL(state, call->trail, time_ns);
    Py_XSETREF(now, now == NULL ? NULL : PyObject_CallNoArgs(now));
    if (now == NULL || (scene = scene_of(state, call)) == NULL || judge(state, call, scene) < 0 ||
        require(site, call, scene) < 0) {
        goto done;
    }
    metadata = site->observes ? changes_of(site, call) : Py_NewRef(state->nothing);
    int has_metadata = metadata == NULL ? -1 : PyObject_IsTrue(metadata);
    if (has_metadata < 0) {
        goto done;
    }
    if (!has_metadata && site->only_changed) {
        draft = Py_NewRef(Py_None);
        goto done;
    }
    target = call->target == Py_None ? target_of(site, call, Py_False) : Py_NewRef(call->target);
    if (target != NULL && !(PyTuple_Check(target) && PyTuple_GET_SIZE(target) == 3)) {
        PyErr_SetString(PyExc_TypeError, "a target is its id, its name and its type");
        goto done;
    }
    if (target == NULL) {
        goto done;
    }
    Py_SETREF(target, shown_target(state, redactor, target));
    if (target == NULL) {
        goto done;
    }
    Py_SETREF(metadata, completed(site, call, scene, metadata));
    if (metadata == NULL || (event_id = id_of(state, call, now)) == NULL) {
        goto done;
    }
    parent_id =
        call->parent == Py_None ? Py_NewRef(Py_None) : PyObject_CallMethodNoArgs(call->parent, state->names.event_id);
    if (parent_id == NULL || (has_metadata = PyObject_IsTrue(metadata)) < 0) {
        goto done;
    }
    if (has_metadata) {
        Py_SETREF(metadata, redacted(state, redactor, metadata));
        if (metadata == NULL) {
            goto done;
        }
    }
    PyObject *fields[] = {event_id,
                          now,
                          scene,
                          site->action,
                          site->action_type,
                          PyTuple_GET_ITEM(target, 0),
                          PyTuple_GET_ITEM(target, 1),
                          PyTuple_GET_ITEM(target, 2),
                          parent_id,
                          metadata};
    draft = draft_of(state, fields);
done:
    Py_XDECREF(now);
    Py_XDECREF(scene);
    Py_XDECREF(metadata);
    Py_XDECREF(target);
    Py_XDECREF(event_id);
    Py_XDECREF(parent_id);
    return draft;
}
