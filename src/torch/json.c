/*
 * JSON over jansson.
 */
#include "torch/json.h"

ptio_status ptio_json_parse(ptio_text bytes, const ptio_limits *limits, json_t **ret, ptio_error *err)
{
    if (bytes.size > limits->heap_bytes / 64)
        return ptio_fail(err, PTIO_ERR_LIMIT, "limit.json", PTIO_NO_OFFSET,
                         "the JSON text has %llu bytes, a 64th of heap_bytes is %llu", (unsigned long long)bytes.size,
                         (unsigned long long)(limits->heap_bytes / 64));
    json_error_t error;
    json_t *value = json_loadb(bytes.bytes, bytes.size, JSON_REJECT_DUPLICATES, &error);
    if (!value && json_error_code(&error) == json_error_out_of_memory)
        return ptio_fail_memory(err, "a JSON text");
    if (!value)
        return ptio_fail(err, PTIO_ERR_FORMAT, "json.syntax", error.position < 0 ? PTIO_NO_OFFSET : (uint64_t)error.position,
                         "line %d of the JSON text: %s", error.line, ptio_quote(ptio_text_of(error.text)).text);
    if (!json_is_object(value)) {
        json_decref(value);
        return ptio_fail(err, PTIO_ERR_FORMAT, "json.object", 0, "the JSON text is no object");
    }
    *ret = value;
    return PTIO_OK;
}

bool ptio_json_size(const json_t *value, int64_t *ret)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return false;
    *ret = json_integer_value(value);
    return true;
}

ptio_text ptio_json_text(const json_t *value)
{
    return json_is_string(value) ? (ptio_text){json_string_value(value), json_string_length(value)} : (ptio_text){NULL, 0};
}
