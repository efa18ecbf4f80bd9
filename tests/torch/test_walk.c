/*
 * Walks: order, numbers, what is met again, leaving, raw nodes, arguments and their scope, budgets; and ten million levels.
 */
#include <pthread.h>

#include "support/build.h"
#include "support/share.h"

/* What a walk visited, a word for each step: depth, role, kind, number of what can be shared; "again" and "leaving". */
typedef struct journal {
    char text[4000];
    size_t size;
    ptio_kind skip, stop;
} journal;

static void note(journal *j, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    j->size += (size_t)vsnprintf(j->text + j->size, sizeof j->text - j->size, format, arguments);
    va_end(arguments);
    assert_true(j->size < sizeof j->text);
}

static ptio_walk_next write_journal(void *ctx, const ptio_visit *visit)
{
    static const char *const roles[] = {"root",       "item",  "key",   "value",    "factory",   "part",
                                        "attributes", "state", "slots", "callable", "arguments", "keywords"};
    journal *j = ctx;
    ptio_kind kind = ptio_value_kind(visit->value);
    note(j, "%s%zu%s", j->size ? " " : "", visit->depth, visit->leaving ? "<" : roles[visit->role]);
    if (visit->role == PTIO_ROLE_ITEM || visit->role == PTIO_ROLE_KEY || visit->role == PTIO_ROLE_VALUE)
        note(j, "%zu", visit->index);
    if (visit->name)
        note(j, ".%s", visit->name);
    note(j, ":%s#%llu%s", ptio_kind_name(kind), (unsigned long long)visit->number, visit->again ? "!" : "");
    assert_int_equal(visit->parent == NULL, visit->depth == 0);
    assert_int_equal(visit->key != NULL, visit->role == PTIO_ROLE_VALUE);
    if (visit->leaving)
        return PTIO_WALK_ON;
    return kind == j->skip ? PTIO_WALK_SKIP : kind == j->stop ? PTIO_WALK_STOP : PTIO_WALK_ON;
}

static void assert_walk(const ptio_value *from, const ptio_walk_options *options, const char *expected)
{
    journal j = {.size = 0};
    assert_int_equal(ptio_walk(from, options, write_journal, &j, NULL), PTIO_OK);
    assert_string_equal(j.text, expected);
}

static void values_are_visited_depth_first(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, "] ( 1 ] 'x' a } 'k' N s e");
    assert_walk(l.root, NULL,
                "0root:list#0 1item0:int#1 1item1:list#1 2item0:str#2 1<1:list#1 1item2:dict#2 2key0:str#3 2value0:none#3 "
                "1<2:dict#2 0<:list#0");
    loaded_free(&l);
}

static void shared_values_are_entered_once(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, "] p0 ( ] 7 a p1 g1 g0 ) ) 'x' p2 g2 e");
    assert_walk(l.root, NULL,
                "0root:list#0 1item0:list#1 2item0:int#2 1<0:list#1 1item1:list#1! 1item2:list#0! 1item3:tuple#2 1<3:tuple#2 "
                "1item4:tuple#2! "
                "1item5:str#3 1item6:str#3 0<:list#0");
    loaded_free(&l);
}

static void every_stage_has_its_role(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, "c:collections:defaultdict c:builtins:list 1t R 'a' 1 s } 'm' 2 s b");
    assert_walk(l.root, NULL,
                "0root:dict#0 1factory:global#1 1key0:str#1 1value0:int#1 1attributes:dict#1 2key0:str#2 2value0:int#2 1<:dict#1 "
                "0<:dict#0");
    load(&l, "c:my:Both ) NEW ( 5 e } 'x' 3 s } 'y' 4 s 2t b");
    assert_walk(l.root, NULL,
                "0root:object#0 1item0:int#1 1attributes:dict#1 2key0:str#2 2value0:int#2 1<:dict#1 1slots:dict#2 2key0:str#3 "
                "2value0:int#3 "
                "1<:dict#2 0<:object#0");
    load(&l, "c:my:Odd ) NEW 7 b");
    assert_walk(l.root, NULL, "0root:object#0 1state:int#1 0<:object#0");
    load(&l, "c:torch._utils:_rebuild_sparse_tensor c:torch.serialization:_get_layout 'torch.sparse_csr' 1t R ( " LONG_TENSOR(
                 0, 3) LONG_TENSOR(0, 2) TENSOR(1, 2) "2 4 2t t 2t R");
    assert_walk(l.root, NULL,
                "0root:tensor#0 1part.crow:tensor#1 1<.crow:tensor#1 1part.col:tensor#2 1<.col:tensor#2 1part.values:tensor#3 "
                "1<.values:tensor#3 "
                "0<:tensor#0");
    load(&l, "c:torch._C:Generator c:torch:device 'cpu' 1t R 1t R 42 N " TENSOR(0, 4) "3t b");
    assert_walk(l.root, NULL, "0root:generator#0 1part.state:tensor#1 1<.state:tensor#1 0<:generator#0");
    loaded_free(&l);
}

static void raw_walks_visit_nodes(void **state)
{
    (void)state;
    ptio_walk_options raw = {PTIO_WALK_OPTIONS, .raw = true};
    loaded l = {0};
    load(&l, "c:collections:OrderedDict ) R 'a' 1 s 'a' 2 s } b");
    assert_walk(l.root, &raw,
                "0root:dict#0 1callable:global#1 1arguments:tuple#2 1<:tuple#2 1key0:str#3 1value0:int#4 1key1:str#4 "
                "1value1:int#5 1state:dict#5 "
                "1<:dict#5 0<:dict#0");
    load(&l, FLOATS);
    journal j = {.size = 0};
    assert_int_equal(ptio_walk(l.root, &raw, write_journal, &j, NULL), PTIO_OK);
    assert_memory_equal(j.text, "0root:storage#0 1arguments:tuple#1 2item0:str#2 ", 48);
    loaded_free(&l);
}

static void arguments_are_a_scope(void **state)
{
    (void)state;
    ptio_walk_options with = {PTIO_WALK_OPTIONS, .arguments = true};
    loaded l = {0};
    load(&l, "] ( c:my:K ] p1 1t R g1 e");
    /* the list is met in the arguments, then as new outside */
    assert_walk(
        l.root, &with,
        "0root:list#0 1item0:object#1 2callable:global#2 2arguments:tuple#2 3item0:list#3 3<0:list#3 2<:tuple#2 1<0:object#1 "
        "1item1:list#4 1<1:list#4 0<:list#0");
    assert_walk(l.root, NULL, "0root:list#0 1item0:object#1 1<0:object#1 1item1:list#2 1<1:list#2 0<:list#0");
    loaded_free(&l);
}

/* Counts values. */
static ptio_walk_next on(void *ctx, const ptio_visit *visit)
{
    uint64_t *count = ctx;
    if (count && !visit->leaving)
        ++*count;
    return PTIO_WALK_ON;
}

/* Objects that share big arguments would walk them again for each object. */
static void arguments_have_a_budget(void **state)
{
    (void)state;
    ptio_walk_options with = {PTIO_WALK_OPTIONS, .arguments = true};
    loaded l = {0};
    pickle(&l.pickle, "proto2 ] (");
    for (int i = 0; i < 20000; i++)
        pickle(&l.pickle, "7");
    pickle(&l.pickle, "e 1t p1 c:my:K p2 ] (");
    for (int i = 0; i < 20000; i++)
        pickle(&l.pickle, "g2 g1 R");
    pickle(&l.pickle, "e .");
    zip_file(&l.file, &l.pickle, NULL, 0);
    if (load_bytes(&l, &l.file, NULL) != PTIO_OK)
        fail_msg("%s", l.err.message);
    assert_int_equal(ptio_walk(l.root, &with, on, NULL, &l.err), PTIO_ERR_LIMIT);
    assert_string_equal(l.err.reason, "limit.walk-nodes");
    assert_int_equal(ptio_walk(l.root, NULL, on, NULL, NULL), PTIO_OK);
    loaded_free(&l);
}

static void visitors_skip_and_stop(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, "] ( } 'k' 1 s 1 'x' 2 e");
    journal j = {.skip = PTIO_KIND_DICT};
    assert_int_equal(ptio_walk(l.root, NULL, write_journal, &j, NULL), PTIO_OK);
    assert_string_equal(j.text, "0root:list#0 1item0:dict#1 1item1:int#2 1item2:str#2 1item3:int#2 0<:list#0");
    j = (journal){.stop = PTIO_KIND_STR};
    ptio_error err = {0};
    assert_int_equal(ptio_walk(l.root, NULL, write_journal, &j, &err), PTIO_ERR_CANCELLED);
    assert_int_equal(err.status, PTIO_ERR_CANCELLED);
    assert_string_equal(j.text, "0root:list#0 1item0:dict#1 2key0:str#2");
    assert_int_equal(ptio_walk(NULL, NULL, write_journal, &j, NULL), PTIO_ERR_ARGUMENT);
    loaded_free(&l);
}

static void walks_have_a_budget(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, "] ( 1 2 3 4 e");
    ptio_limits limits = {.walk_nodes = 4};
    ptio_walk_options options = {PTIO_WALK_OPTIONS, .limits = &limits};
    journal j = {.size = 0};
    ptio_error err = {0};
    assert_int_equal(ptio_walk(l.root, &options, write_journal, &j, &err), PTIO_ERR_LIMIT);
    assert_string_equal(err.reason, "limit.walk-nodes");
    limits.walk_nodes = 5;
    assert_int_equal(ptio_walk(l.root, &options, write_journal, &j, NULL), PTIO_OK);
    loaded_free(&l);
}

/* Lists of themselves twice, thirty deep: 2^30 paths, but 30 lists. */
static void shared_lists_cost_what_they_are(void **state)
{
    (void)state;
    loaded l = {0};
    uint64_t count = 0;
    pickle(&l.pickle, "proto2 ] p0 x30 ");
    for (int i = 0; i < 30; i++)
        pickle(&l.pickle, "] ( g0 g0 e p0 x30 ");
    pickle(&l.pickle, "g0 .");
    zip_file(&l.file, &l.pickle, NULL, 0);
    assert_int_equal(load_bytes(&l, &l.file, NULL), PTIO_OK);
    assert_int_equal(ptio_walk(l.root, NULL, on, &count, NULL), PTIO_OK);
    assert_int_equal(count, 61);
    loaded_free(&l);
}

/* ---- depth ---- */

typedef struct deep {
    const char *level, *end; /* words of one level, and of its end behind the innermost value */
    size_t levels;
    bool failed;
    ptio_error err;
} deep;

static void put_times(bytes *out, const char *words, size_t times)
{
    bytes once = {0};
    pickle(&once, "%s", words);
    for (size_t i = 0; i < times; i++)
        put(out, once.data, once.size);
    bytes_free(&once);
}

/* Load, walk both ways, look up and free, all on a small stack. */
static void *go_deep(void *context)
{
    deep *d = context;
    bytes words = {0}, file = {0};
    ptio_checkpoint *ckpt = NULL;
    ptio_walk_options raw = {PTIO_WALK_OPTIONS, .raw = true};
    uint64_t count = 0;
    put_times(&words, "proto2", 1);
    put_times(&words, d->level, d->levels);
    put_times(&words, TENSOR(0, 4), 1);
    put_times(&words, d->end, d->levels);
    put_times(&words, ".", 1);
    zip_file(&file, &words, &(record){"data/0", floats, sizeof floats}, 1);
    bytes_free(&words);
    d->failed = ptio_load_memory(file.data, file.size, NULL, &ckpt, &d->err) != PTIO_OK ||
                ptio_walk(ptio_root(ckpt), NULL, on, &count, &d->err) != PTIO_OK || count < d->levels ||
                ptio_walk(ptio_root(ckpt), &raw, on, &count, &d->err) != PTIO_OK || ptio_at(ckpt, "0.0.0.0") == NULL;
    ptio_checkpoint_free(ckpt);
    bytes_free(&file);
    return NULL;
}

static void on_a_small_stack(deep *d)
{
    pthread_t thread;
    pthread_attr_t attributes;
    assert_int_equal(pthread_attr_init(&attributes), 0);
    assert_int_equal(pthread_attr_setstacksize(&attributes, 65536), 0);
    assert_int_equal(pthread_create(&thread, &attributes, go_deep, d), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)pthread_attr_destroy(&attributes);
    if (d->failed)
        fail_msg("%zu levels: %s %s", d->levels, d->err.reason ? d->err.reason : "no error", d->err.message);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MOST_LEVELS 100000 /* of which each costs many times as much */
#else
#define MOST_LEVELS 10000000
#endif

static size_t levels(size_t most)
{
    return (size_t)test_share_of(most, 1000);
}

static void lists_in_lists(void **state)
{
    (void)state;
    on_a_small_stack(&(deep){.level = "]", .end = "a", .levels = levels(MOST_LEVELS)});
}

static void tuples_in_tuples(void **state)
{
    (void)state;
    on_a_small_stack(&(deep){.level = "(", .end = "t", .levels = levels(MOST_LEVELS / 10)});
}

static void dicts_in_dicts(void **state)
{
    (void)state;
    on_a_small_stack(&(deep){.level = "} 0", .end = "s", .levels = levels(MOST_LEVELS / 10)});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_visited_depth_first),
        cmocka_unit_test(shared_values_are_entered_once),
        cmocka_unit_test(every_stage_has_its_role),
        cmocka_unit_test(raw_walks_visit_nodes),
        cmocka_unit_test(arguments_are_a_scope),
        cmocka_unit_test(arguments_have_a_budget),
        cmocka_unit_test(visitors_skip_and_stop),
        cmocka_unit_test(walks_have_a_budget),
        cmocka_unit_test(shared_lists_cost_what_they_are),
        cmocka_unit_test(lists_in_lists),
        cmocka_unit_test(tuples_in_tuples),
        cmocka_unit_test(dicts_in_dicts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
