# 32 bits: Debian's cross compiler, and the dependencies in build/sysroot-i386. x86-64 machines run its programs themselves.
set(CMAKE_SYSTEM_PROCESSOR i686)
set(ptio_sysroot ${CMAKE_CURRENT_LIST_DIR}/../build/sysroot-i386)
set(ptio_compiler i686-linux-gnu-gcc)
set(ptio_libraries i386-linux-gnu)
# The loader of the sysroot, since the system may have none; and its character sets, for iconv.
set(CMAKE_CROSSCOMPILING_EMULATOR
    env GCONV_PATH=${ptio_sysroot}/usr/lib/${ptio_libraries}/gconv ${ptio_sysroot}/lib/ld-linux.so.2
    --library-path ${ptio_sysroot}/lib/${ptio_libraries}:${ptio_sysroot}/usr/lib/${ptio_libraries})
include(${CMAKE_CURRENT_LIST_DIR}/Sysroot.cmake)
