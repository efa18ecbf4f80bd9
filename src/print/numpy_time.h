/*
 * NumPy's dates and spans: datetime64 and timedelta64.
 */
#ifndef PTIO_PRINT_NUMPY_TIME_H
#define PTIO_PRINT_NUMPY_TIME_H

#include "print/out.h"

/** Room for the text of one. */
#define PTIO_NPTIME_ROOM 96

/** Not a time. */
#define PTIO_NPTIME_NAT INT64_MIN

/** A date of `unit`, what stands in the brackets of "<M8[D]": 2024-02-29, 2024-02-29T12:30, NaT. 0 for a unit that is not known, or a
 *  year of more than 18 digits. */
size_t ptio_nptime_date(int64_t value, ptio_text unit, char text[PTIO_NPTIME_ROOM]);

#endif
