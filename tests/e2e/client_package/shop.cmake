# Behind the page's own lines: a program that uses the stubs, and Google's error details, too.
find_package(gRPC CONFIG REQUIRED)
add_executable(shop shop.cc)
protobuf_generate(TARGET shop LANGUAGE cpp PROTOS ${CMAKE_CURRENT_SOURCE_DIR}/google/rpc/status.proto
                  IMPORT_DIRS ${CMAKE_CURRENT_SOURCE_DIR})
target_include_directories(shop PRIVATE ${CMAKE_CURRENT_BINARY_DIR})
target_link_options(shop PRIVATE -Wl,--no-as-needed)
target_link_libraries(shop PRIVATE ippclient::ippclient ippclient::contract gRPC::grpc++_error_details)
file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/proto_dir "${ippclient_PROTO_DIR}")
