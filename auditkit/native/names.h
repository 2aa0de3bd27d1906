/* What is known by name: what Python modules hand over, and the attributes and methods of theirs that are used.
 *
 * Each list calls a macro for each of its names.
 */

#ifndef AUDITKIT_NAMES_H
#define AUDITKIT_NAMES_H

/* clang-format off: a line for each thing that has the names */

/* Handed over with `hand_over`, each under its own name there: for calls, for journals on disk, for ledgers. */
#define USED_BY_CALLS(each)                                                                                            \
    /* where the process's state is */                                                                                 \
    each(CALL) each(SCOPE) each(_current) each(call_class) /* how values are read */                                   \
        each(WAYS) each(PLANS) each(HeldColumns) each(SlotColumns) each(names) each(small) each(most)                  \
            each(NOT_OURS) /* how an event is made */                                                                  \
        each(observe) each(look_before) each(target) each(given_target) each(unread_target) each(LATER) each(changes)  \
            each(stated) each(merged) each(ambient) each(compose) each(redactor_class) each(draft_type) each(new_id)   \
                each(id_at)           /* how a call ends otherwise */                                                  \
        each(failed) each(unfinished) /* how JSON is made otherwise */                                                 \
        each(encode) each(encode_scene) each(value_text)

#define USED_BY_JOURNALS(each) each(sha256) each(files) each(append) each(guarded) each(longest) each(NOWHERE)

#define USED_BY_LEDGERS(each) each(read_stated)

/* Attributes that are read, and methods that are called. */
#define NAMES(each)                                                                                                    \
    /* of a declaration, and of what it compiled */                                                                    \
    each(action) each(action_type) each(after) each(awaits) each(before) each(category) each(early_target)             \
        each(early_who) each(exclude) each(fields) each(judges) each(looks_first) each(observes) each(on_audit_error)  \
            each(only_changed) each(overlays) each(place) each(redact) each(states) each(target)                       \
                each(target_name) /* of a trail, and of the process's state */                                         \
        each(defaults) each(enabled) each(note_unchanged) each(raises) each(redactor) each(require) each(resolve)      \
            each(scene) each(syncs_each) each(time_ns) each(trace_ids) each(trail)                                     \
                each(write) /* of a scope, its stack and its scene */                                                  \
        each(_made) each(on_commit) each(stack) each(suppressing) each(generation) each(encoded) each(metadata)        \
            each(judged) each(missing) each(group) each(actor_id) each(actor_name) each(location)                      \
                each(correlation_id) /* of a plan, and of a redactor */                                                \
        each(columns) each(held) each(names) each(private) each(read) each(_decisions) each(apply)                     \
            each(judge) /* of a site, and of a call */                                                                 \
        each(_could_not) each(_complain) each(_insist) each(_judge) each(_raises) each(_redactor) each(_self_site)     \
            each(settle) each(event_id) /* of a journal */                                                             \
        each(_catch_up) each(_refuse) each(_write) each(acquire) each(append) each(latest) each(number) each(release)  \
            each(tell) each(waiting) /* of a segment and its chain */                                                  \
        each(_stumble) each(copy) each(digest) each(fd) each(name) each(pwrite) each(update) each(write_at)

/* The fields of types that Python's classes derive from. */
#define CALL_FIELDS(each, Type)                                                                                        \
    each(Type, args) each(Type, awaited) each(Type, before) each(Type, declared) each(Type, error) each(Type, failed)  \
        each(Type, ids) each(Type, kwargs) each(Type, parent) each(Type, result) each(Type, said) each(Type, scope)    \
            each(Type, target) each(Type, trail) each(Type, trouble) each(Type, who)

#define SITE_FIELDS(each, Type)                                                                                        \
    each(Type, wrapped) each(Type, declared) each(Type, given) /* of the declaration */                                \
        each(Type, action) each(Type, action_type)                                                                     \
            each(Type, category) /* where these stand in a call: a `reference.Place`, or None */                       \
        each(Type, before) each(Type, after) each(Type, target)

#define TRAIL_FIELDS(each, Type)                                                                                       \
    each(Type, defaults) each(Type, enabled) each(Type, raises) each(Type, redactor) each(Type, scene)                 \
        each(Type, syncs_each) each(Type, time_ns) each(Type, trace_ids)

#define SCOPE_FIELDS(each, Type) each(Type, _made) each(Type, on_commit) each(Type, stack) each(Type, suppressing)
#define STACK_FIELDS(each, Type) each(Type, generation)
#define SCENE_FIELDS(each, Type) each(Type, encoded) each(Type, judged) each(Type, metadata) each(Type, missing)

#define CHAIN_FIELDS(each, Type) each(Type, key_id) each(Type, _keyed)
#define SEGMENT_FIELDS(each, Type)                                                                                     \
    each(Type, _chain) each(Type, _file) each(Type, _limit) each(Type, _place) each(Type, name)
#define JOURNAL_FIELDS(each, Type)                                                                                     \
    each(Type, _lock) each(Type, _busy) each(Type, _interrupting) each(Type, _segment) each(Type, _growth)             \
        each(Type, syncs_each) each(Type, _mine)

#define IDS_FIELDS(each, Type) each(Type, _drawn) each(Type, _millisecond) each(Type, _prefix)

/* clang-format on */

#endif
