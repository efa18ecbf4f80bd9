/*
 * Whole archives against digests of PyTorch's own files: the records are given as torch.save gives them, the rest is the writer's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ptio.h"
#include "sha256.h"

/* Pickles, in hex. */
static const char int_5[] = "80024b052e";

static const char empty_dict[] = "80027d71002e";

static const char arange_4[] =
    "800263746f7263682e5f7574696c730a5f72656275696c645f74656e736f725f76320a71002828580700000073746f72616765710163746f7263"
    "680a466c6f617453746f726167650a71025801000000307103580300000063707571044b04747105514b004b048571064b018571078963636f6c"
    "6c656374696f6e730a4f726465726564446963740a71082952710974710a52710b2e";

static const char zeros_0[] =
    "800263746f7263682e5f7574696c730a5f72656275696c645f74656e736f725f76320a71002828580700000073746f72616765710163746f7263"
    "680a466c6f617453746f726167650a71025801000000307103580300000063707571044b00747105514b004b008571064b018571078963636f6c"
    "6c656374696f6e730a4f726465726564446963740a71082952710974710a52710b2e";

static const char twelve[] =
    "80025d71002863746f7263682e5f7574696c730a5f72656275696c645f74656e736f725f76320a71012828580700000073746f72616765710263"
    "746f7263680a466c6f617453746f726167650a71035801000000307104580300000063707571054b02747106514b004b028571074b0185710889"
    "63636f6c6c656374696f6e730a4f726465726564446963740a71092952710a74710b52710c6801282868026803580100000031710d68054b0274"
    "710e514b004b0285710f4b01857110896809295271117471125271136801282868026803580100000032711468054b02747115514b004b028571"
    "164b018571178968092952711874711952711a6801282868026803580100000033711b68054b0274711c514b004b0285711d4b0185711e896809"
    "2952711f7471205271216801282868026803580100000034712268054b02747123514b004b028571244b01857125896809295271267471275271"
    "286801282868026803580100000035712968054b0274712a514b004b0285712b4b0185712c8968092952712d74712e52712f6801282868026803"
    "580100000036713068054b02747131514b004b028571324b01857133896809295271347471355271366801282868026803580100000037713768"
    "054b02747138514b004b028571394b0185713a8968092952713b74713c52713d6801282868026803580100000038713e68054b0274713f514b00"
    "4b028571404b01857141896809295271427471435271446801282868026803580100000039714568054b02747146514b004b028571474b018571"
    "488968092952714974714a52714b680128286802680358020000003130714c68054b0274714d514b004b0285714e4b0185714f89680929527150"
    "747151527152680128286802680358020000003131715368054b02747154514b004b028571554b0185715689680929527157747158527159652e";

static const char dict_of_one[] =
    "80027d7100580600000074656e736f72710163746f7263682e5f7574696c730a5f72656275696c645f74656e736f725f76320a71022828580700"
    "000073746f72616765710363746f7263680a466c6f617453746f726167650a71045801000000307105580300000063707571064b04747107514b"
    "004b048571084b018571098963636f6c6c656374696f6e730a4f726465726564446963740a710a2952710b74710c52710d732e";

typedef struct golden {
    const char *pickle;
    const char *root;
    uint32_t alignment;
    bool libcxx;
    size_t storages, floats; /* each of so many float32, the i-th from values[i * floats] on */
    const float *values;
    size_t size;
    const char *digest;
} golden;

static const float ramp[] = {0, 1, 2, 3};
static const float four[] = {1, 2.5f, -3.7f, 0};
static const float pairs[24] = {0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11};

static const golden files[] = {
    {int_5, NULL, 0, false, 0, 0, NULL, 1261, "562811976e10b7b73ee51f348e93c4f29134ab228e3c580fc7abfb4a3e7c9442"},
    {int_5, NULL, 0, true, 0, 0, NULL, 1261, "534bf3e9040a87a02b20d103311e361e1386ddee357597697e1c36469934e3c9"},
    {empty_dict, NULL, 0, false, 0, 0, NULL, 1261, "07c7431cf6005e7d8f367d79e995f63e2f9b981a37e3437b795d058f9af4308b"},
    {arange_4, NULL, 0, false, 1, 4, ramp, 1577, "f48c43cee5e39c8ba7617e64da1ff98dcbcf25d0d1d4228af866ed245f90e539"},
    {arange_4, NULL, 0, true, 1, 4, ramp, 1577, "04e725a03f6abedc48039000b6da72fc161a50a3d2704b46b32e73bc5853a25c"},
    {arange_4, NULL, 4096, false, 1, 4, ramp, 29289, "d8eaddfff9736648eb8250bd4055a180310788724fc1fa98dca1a294c5110172"},
    {zeros_0, NULL, 0, false, 1, 0, ramp, 1513, "bd7f0a64b6f36ae7c73a33ebf7b5e04bc4e63bb0c978a820123fc22d58323e7a"},
    {twelve, NULL, 0, false, 12, 2, pairs, 4223, "0bc9ac822c863e4b9cf3aff2021b4c4b5f9aac70bc79d3d3b449699cfe565d85"},
    {dict_of_one, "float32", 0, false, 1, 4, four, 1577, "59b5177639fd0bfaab27c2fd85e8ea48fa91d7a0c60707d0ad2145bec152cd55"},
    {dict_of_one, "float32", 0, true, 1, 4, four, 1577, "d48ca05a695423e1cef19c206449fe4605b8610318eece1aa47c309d516cbf8b"},
};

static size_t from_hex(const char *hex, unsigned char *out)
{
    size_t size = strlen(hex) / 2;
    for (size_t i = 0; i < size; i++) {
        char digits[3] = {hex[2 * i], hex[2 * i + 1], 0};
        out[i] = (unsigned char)strtoul(digits, NULL, 16);
    }
    return size;
}

/* A float32 as little-endian machines store it. */
static void store(float value, unsigned char *out)
{
    uint32_t bits;
    memcpy(&bits, &value, 4);
    for (size_t i = 0; i < 4; i++)
        out[i] = (unsigned char)(bits >> (8 * i));
}

static void add(ptio_writer *writer, const char *name, const void *data, size_t size)
{
    assert_int_equal(ptio_writer_add(writer, name, data, size, NULL), PTIO_OK);
}

static void add_storages(ptio_writer *writer, const golden *file)
{
    for (size_t k = 0; k < file->storages; k++) {
        unsigned char bytes[16];
        char name[32];
        for (size_t i = 0; i < file->floats; i++)
            store(file->values[k * file->floats + i], bytes + 4 * i);
        (void)snprintf(name, sizeof name, "data/%zu", k);
        add(writer, name, bytes, 4 * file->floats);
    }
}

static void files_are_those_of_pytorch(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof files / sizeof *files; n++) {
        const golden *file = &files[n];
        ptio_writer_options options = {
            .struct_size = sizeof options, .root = file->root, .alignment = file->alignment, .libcxx_id = file->libcxx};
        ptio_sink *sink = NULL;
        ptio_writer *writer = NULL;
        unsigned char pickle[700];
        char alignment[16], digest[65];
        assert_int_equal(ptio_sink_to_memory(NULL, &sink, NULL), PTIO_OK);
        assert_int_equal(ptio_writer_open(sink, &options, &writer, NULL), PTIO_OK);
        add(writer, "data.pkl", pickle, from_hex(file->pickle, pickle));
        add(writer, ".format_version", "1", 1);
        int size = snprintf(alignment, sizeof alignment, "%u", file->alignment ? (unsigned)file->alignment : 64);
        add(writer, ".storage_alignment", alignment, (size_t)size);
        add(writer, "byteorder", "little", 6);
        add_storages(writer, file);
        assert_int_equal(ptio_writer_finish(writer, NULL), PTIO_OK);
        ptio_writer_free(writer);
        assert_int_equal(ptio_sink_finish(sink, NULL), PTIO_OK);
        ptio_text bytes = ptio_sink_bytes(sink);
        assert_int_equal(bytes.size, file->size);
        sha256_hex(bytes.bytes, bytes.size, digest);
        assert_string_equal(digest, file->digest);
        ptio_sink_free(sink);
    }
}

/* The digest itself, of texts for which it is published. */
static void digests_are_right(void **state)
{
    (void)state;
    char digest[65];
    sha256_hex("abc", 3, digest);
    assert_string_equal(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, digest);
    assert_string_equal(digest, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests_are_right),
        cmocka_unit_test(files_are_those_of_pytorch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
