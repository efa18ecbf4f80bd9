/*
 * The halves of the serialization id. The numbers come from the C++ libraries themselves (libstdc++ 12, libc++ 14), and from files
 * that PyTorch wrote on Linux and on macOS.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "archive/serialization_id.h"
#include "base/text.h"
#include "support/exercise.h"

static const ptio_cxx_library libraries[] = {PTIO_LIBSTDCXX, PTIO_LIBCXX};

/* The hash of so many bytes, the i-th of which is 7 * i + size. Each length takes another way through the hashes. */
static const struct {
    size_t size;
    uint64_t hash[2];
} hashes[] = {
    {0, {0x553E93901E462A6Eu, 0x9AE16A3B2F90404Fu}},   {1, {0x3C27D9F591D20E49u, 0x6209312A69A56947u}},
    {2, {0xC13E18DA5E527242u, 0xB2B6E06D5596172Bu}},   {3, {0xC7EC7614121082B2u, 0xF6AA543CA4B8BF14u}},
    {4, {0x532C6B165FBE8FB1u, 0x49CBF7BA1ABD60C8u}},   {7, {0x92AC540A388B74D0u, 0x5242170826A9A91Eu}},
    {8, {0xE85675ABE5DC5AB2u, 0xDF2C6929FD15C225u}},   {9, {0x13D74C619FCD6937u, 0x292257565E1D8D10u}},
    {15, {0x38532BC3D3714103u, 0x1C93C4541501E2ABu}},  {16, {0xEF2C058A7ABC3149u, 0xC15CB8F49C72A053u}},
    {17, {0xAE732CEA22A577C0u, 0xD228477722F00497u}},  {24, {0xEE29C192B9062DBDu, 0xA0F904D2C78EA481u}},
    {31, {0x675E17044867E648u, 0x379E63D90B7A0D56u}},  {32, {0x42B849252196AFD0u, 0xBF3F9B0E2C06C05Cu}},
    {33, {0x47E696A77AFB1294u, 0xB6AE67E8382F8288u}},  {48, {0x03A97739A533F1D4u, 0x0A250D9A7D52E859u}},
    {63, {0x852DDBCE99DB5A79u, 0x0151E90CA402A396u}},  {64, {0x2E3CEBCADB954078u, 0xF7C311A1527FCDADu}},
    {65, {0x0265661E158007B9u, 0x7F00CDC1C897B2D8u}},  {100, {0x94AE198138E55832u, 0x06A40BCA8ED1A84Cu}},
    {127, {0x111D88A9BF2785E5u, 0x45C6B07D1949B2F5u}}, {128, {0xC7CE29E3FCA5C6F1u, 0x00C1F7EBAE58CB45u}},
    {129, {0x91133959BC37CAE8u, 0xBDBB737A717A62C4u}}, {300, {0xAA9A1D1E51F8C4C7u, 0x39B8A2CF01FA1C5Eu}},
};

static void strings_are_hashed_as_in_cxx(void **state)
{
    (void)state;
    unsigned char bytes[300];
    for (size_t n = 0; n < sizeof hashes / sizeof *hashes; n++) {
        for (size_t i = 0; i < hashes[n].size; i++)
            bytes[i] = (unsigned char)(i * 7 + hashes[n].size);
        for (size_t k = 0; k < 2; k++)
            assert_true(ptio_cxx_hash(libraries[k], bytes, hashes[n].size) == hashes[n].hash[k]);
    }
}

/* The first half of the id, of names that are added one by one. */
typedef struct name_list {
    ptio_cxx_library library;
    uint64_t *hashes;
    uint32_t count, capacity;
} name_list;

static void add(name_list *names, const char *name)
{
    if (names->count == names->capacity) {
        names->capacity = 2 * names->capacity + 16;
        names->hashes = realloc(names->hashes, names->capacity * sizeof *names->hashes);
        assert_non_null(names->hashes);
    }
    names->hashes[names->count++] = ptio_cxx_hash(names->library, name, strlen(name));
}

static void add_numbers(name_list *names, uint32_t count)
{
    char name[32];
    for (uint32_t i = 0; i < count; i++) {
        (void)snprintf(name, sizeof name, "data/%" PRIu32, i);
        add(names, name);
    }
}

static uint64_t id_of(name_list *names)
{
    ptio_heap heap;
    ptio_error err = {0};
    uint64_t id = 0;
    ptio_heap_init(&heap, NULL, 0);
    assert_int_equal(ptio_id_of_names(names->library, names->hashes, names->count, &heap, &id, &err), PTIO_OK);
    assert_int_equal(heap.used, 0);
    free(names->hashes);
    return id;
}

/* Sizes right before and behind those at which the tables grow. */
static void sets_are_walked_as_in_cxx(void **state)
{
    (void)state;
    static const struct {
        uint32_t count;
        uint64_t id[2];
    } sets[] = {
        {13, {0x26B4651A6202623Cu, 0x3B8BAB2CCA0A6E72u}},   {14, {0x6120F936EFC581DBu, 0xB9F51027AB1DED43u}},
        {47, {0xE92A74A40C9BA708u, 0x164B9D2D878EEAA3u}},   {48, {0x4CBDD5C198E57529u, 0x167C435B5193C69Au}},
        {1000, {0x4BC2F463FCA28E95u, 0x3FED60ADD9B8985Du}}, {100000, {0xC25A7136C6E79507u, 0x7B8E2C078F97F821u}},
    };
    for (size_t n = 0; n < sizeof sets / sizeof *sets; n++) {
        for (size_t k = 0; k < 2; k++) {
            name_list names = {.library = libraries[k]};
            add_numbers(&names, sets[n].count);
            assert_true(id_of(&names) == sets[n].id[k]);
        }
    }
}

static void expect_digits(name_list *names, const char *digits)
{
    char found[21];
    (void)snprintf(found, sizeof found, "%020" PRIu64, id_of(names));
    assert_string_equal(found, digits);
}

/* The record set of PyTorch 2.7 and later, with 0 to 12 storages. */
static void names_of_checkpoints(void **state)
{
    (void)state;
    static const char *const digits[][2] = {
        {"02908468677762923104", "08010386065301708267"}, {"15728199511854643026", "08434950702264123677"},
        {"05611085236196705294", "00079421415227284290"}, {"08494888479650487350", "08064013209342011177"},
        {"10778627297998541625", "14396739706536328738"}, {"00551901853203590787", "12771358782704214870"},
        {"12685673969646462611", "11118979110553026101"}, {"06895295647852065578", "07539572713646275344"},
        {"08268647735604577700", "15748190242417616777"}, {"01977860353369201443", "11723083409311875784"},
        {"12377610408694458067", "09428382057406973742"}, {"17968425882460354932", "10334816071508755194"},
        {"13069572823877178827", "04755135817738106099"},
    };
    for (uint32_t count = 0; count < sizeof digits / sizeof *digits; count++) {
        for (size_t k = 0; k < 2; k++) {
            name_list names = {.library = libraries[k]};
            add(&names, "data.pkl");
            add(&names, ".format_version");
            add(&names, ".storage_alignment");
            add(&names, "byteorder");
            add_numbers(&names, count);
            add(&names, "version");
            expect_digits(&names, digits[count][k]);
        }
    }
}

/* That of 2.1 to 2.6. */
static void names_of_older_checkpoints(void **state)
{
    (void)state;
    static const char *const digits[][2] = {{"05768588573859962782", "00471237719671975826"},
                                            {"13263068698938530805", "17008800954642275449"}};
    for (uint32_t count = 1; count <= 2; count++) {
        for (size_t k = 0; k < 2; k++) {
            name_list names = {.library = libraries[k]};
            add(&names, "data.pkl");
            add(&names, "byteorder");
            add_numbers(&names, count);
            add(&names, "version");
            expect_digits(&names, digits[count - 1][k]);
        }
    }
}

static void the_nth_allocation_fails(void **state)
{
    (void)state;
    name_list names = {.library = PTIO_LIBCXX};
    add_numbers(&names, 100);
    ptio_status status = PTIO_ERR_MEMORY;
    for (uint64_t n = 0; status != PTIO_OK; n++) {
        ptio_heap heap;
        ptio_error err = {0};
        counted_memory m;
        uint64_t id = 0;
        counted_memory_init(&m);
        m.fail_at = n;
        ptio_heap_init(&heap, &m.hooks, 0);
        status = ptio_id_of_names(PTIO_LIBCXX, names.hashes, names.count, &heap, &id, &err);
        assert_int_equal(status, err.status);
        assert_true(status == PTIO_OK || status == PTIO_ERR_MEMORY);
        assert_int_equal(m.held, 0);
        assert_true(n < 20);
    }
    free(names.hashes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_are_hashed_as_in_cxx), cmocka_unit_test(sets_are_walked_as_in_cxx),
        cmocka_unit_test(names_of_checkpoints),         cmocka_unit_test(names_of_older_checkpoints),
        cmocka_unit_test(the_nth_allocation_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
