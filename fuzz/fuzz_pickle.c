/*
 * The pickle machine, its indexes, its scanner and its disassembler, over one input. They must agree on where a pickle ends, stay
 * in the heap budget, and give everything back.
 *
 * The last byte, which lies behind STOP or stands for it, also chooses how strings of Python 2 are decoded.
 */
#include "../tests/support/exercise.h"
#include "base/text.h"
#include "pickle/vm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const ptio_limits limits = {.pickle_bytes = 1 << 20, .line_bytes = 4096, .name_bytes = 256};

static void must(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "fuzz_pickle: %s\n", what);
        abort();
    }
}

static ptio_codec *make_codec(uint8_t choice, ptio_heap *heap)
{
    static const char *const encodings[] = {"utf-8", "ascii", "latin1", "bytes"};
    static const char *const errors[] = {"strict", "ignore", "replace", "surrogateescape", "backslashreplace", "surrogatepass"};
    ptio_codec *codec = NULL;
    must(ptio_codec_new(encodings[choice & 3], errors[(choice >> 2) % 6], heap, &codec, NULL) == PTIO_OK, "no codec");
    return codec;
}

/* Every key is found again at its place. */
static void check_dicts(const ptio_graph *graph)
{
    for (size_t i = 0; i < graph->dict_count; i++) {
        const ptio_node_dict *dict = graph->dicts[i];
        size_t count = ptio_dict_count(dict);
        must(count > 0 && count <= dict->head.count, "a dict has another count");
        for (size_t place = 0; place < count; place++) {
            const ptio_value *key = ptio_dict_key(dict, place);
            int64_t number;
            must(ptio_dict_value(dict, place) != NULL, "a key without a value");
            if (key->seen == PTIO_KIND_STR)
                must(ptio_dict_find_text(dict, ptio_node_str_of(key)) == place, "a text is not found");
            else if (ptio_node_int64(key, &number))
                must(ptio_dict_find_int(dict, number) == place, "an int is not found");
            bool nests = key->type == PTIO_NODE_TYPE_TUPLE || key->type == PTIO_NODE_TYPE_FROZENSET;
            size_t found = ptio_dict_find_value(dict, key);
            must(found == place || (nests && found == SIZE_MAX), "a key is not found by itself");
        }
    }
}

static void check_objects(const ptio_graph *graph)
{
    uint32_t last = 0;
    for (size_t i = 0; i < graph->object_count; i++) {
        const ptio_value *object = graph->objects[i];
        must(object->type >= PTIO_NODE_TYPE_GLOBAL, "no object");
        must(object->count >= last && object->count < graph->size, "objects out of order");
        last = object->count;
    }
}

static int drop(void *ctx, const char *text, size_t size)
{
    (void)ctx;
    must(ptio_utf8_valid(text, size, false), "a line of the disassembly is no text");
    return 0;
}

/* The scanner knows no stack and no frames: it may find an end where the machine fails, never the reverse. */
static void check_end(const uint8_t *data, size_t size, ptio_status run, size_t end)
{
    uint64_t at = 0, need = 1;
    size_t dis_end = 0;
    ptio_status status = ptio_pickle_scan(data, size, &limits, &at, &need, NULL);
    must(at <= size, "the scan ran over the end");
    if (run == PTIO_OK)
        must(status == PTIO_OK && !need && at == end, "scan and run disagree");
    ptio_heap heap;
    ptio_heap_init(&heap, NULL, 0);
    ptio_status dis = ptio_pickle_disassemble(data, size, &heap, drop, NULL, &dis_end, NULL);
    must(heap.used == 0, "memory of the disassembly is left");
    if (status == PTIO_OK && !need)
        must(dis == PTIO_OK && dis_end == at, "scan and disassembly disagree");
}

static void run(const uint8_t *data, size_t size, uint8_t choice)
{
    counted_memory m;
    counted_memory_init(&m);
    ptio_heap heap;
    ptio_arena arena;
    ptio_heap_init(&heap, &m.hooks, ((uint64_t)1 << 20) + 32 * (uint64_t)size);
    ptio_arena_init(&arena, &heap);
    ptio_codec *codec = make_codec(choice, &heap);
    ptio_graph graph = {.arena = &arena};
    ptio_error err = {.status = PTIO_OK};
    ptio_vm_options options = {.limits = &limits, .codec = codec, .codec_must_fit = (choice & 0x80) != 0};
    ptio_status status = ptio_vm_run(data, size, &options, &heap, &graph, &err);
    size_t end = graph.size;
    must(status == err.status && end <= size, "another status");
    must(status == PTIO_OK || (err.reason && err.message[0] && err.offset <= size),
         "a failure without reason, sentence or place");
    ptio_status indexed = status == PTIO_OK ? ptio_graph_index_keys(&graph, &heap, &err) : status;
    if (indexed == PTIO_OK)
        indexed = ptio_graph_settle_keys(&graph, &heap, &err);
    if (indexed == PTIO_OK) {
        check_dicts(&graph);
        check_objects(&graph);
    }
    check_end(data, size, status, end);
    ptio_codec_free(codec);
    ptio_arena_free(&arena);
    must(heap.used == 0 && m.held == 0, "memory is left");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    run(data, size, size ? data[size - 1] : 0);
    return 0;
}
