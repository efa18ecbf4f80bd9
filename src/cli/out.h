/*
 * Standard output, or a file in its place, through one large buffer: no flush but at the end or when it is full.
 */
#ifndef PTIO_CLI_OUT_H
#define PTIO_CLI_OUT_H

#include "cli/cli.h"

void out_bytes(const char *bytes, size_t size);
void out_string(const char *string);
void out_char(char c);
void out_u64(uint64_t value);
void out_i64(int64_t value);
void out_spaces(size_t count);

/** A string literal, whose size the compiler knows. */
#define out_literal(literal) out_bytes((literal), sizeof(literal) - 1)

/** Whether a text is printable ASCII without quotes and backslashes: it stands for itself everywhere. */
bool out_is_plain(ptio_text text);

/** Text of a file, safe for a terminal. */
void out_escaped(ptio_text text);

/** Hexadecimal digits of bytes. */
void out_hex(const void *bytes, size_t size);

/** Bytes for people: "200 B", "1.5 MiB". */
void out_size(uint64_t bytes);

/** A ptio_write to standard output. ctx is not used. */
int out_write(void *ctx, const char *text, size_t size);

/** From now on all that is written goes to a sink instead of standard output. */
void out_to(ptio_sink *sink);

/** All of it is in the sink, or the first failure; what comes next goes to standard output again. */
ptio_status out_from_sink(ptio_error *err);

/** Let people see what was written: on a terminal, now. */
void out_show(void);

/** Write what is left. Gives `code`, or CLI_IO after telling that writing failed. */
int out_end(int code);

/** Whether anything could not be written. */
bool out_failed(void);

/** Columns of the terminal that standard output is; 0 where it is none. */
size_t out_terminal_width(void);

/** Whether there are colours: CLI_COLOR_AUTO means on a terminal, unless NO_COLOR is set or it is a dumb one. */
void out_set_colors(cli_color when);

/** What is written from now on; nothing where there are no colours. OUT_PLAIN ends all of it. */
typedef enum out_paint { OUT_PLAIN, OUT_BOLD, OUT_FAINT, OUT_KEY, OUT_CLASS, OUT_SHAPE } out_paint;
void out_paint_as(out_paint paint);

#endif
