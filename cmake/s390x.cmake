# Big-endian: Debian's cross compiler, the dependencies in build/sysroot-s390x, and qemu to run its programs.
set(CMAKE_SYSTEM_PROCESSOR s390x)
set(ptio_sysroot ${CMAKE_CURRENT_LIST_DIR}/../build/sysroot-s390x)
set(ptio_compiler s390x-linux-gnu-gcc)
set(ptio_libraries s390x-linux-gnu)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-s390x-static -L ${ptio_sysroot})
include(${CMAKE_CURRENT_LIST_DIR}/Sysroot.cmake)
