// reader.cpp: follow a ring and print each event as a line, until the stream ends.
//
//     reader [--lossless] [--oldest] RING
//
// --lossless: the writer waits for us. --oldest: begin with what is there already. What was lost is told on standard
// error, as is "ready" once nothing that comes can be missed unnoticed.
#include <cstring>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "ring_file.h"

namespace {

class Reader {
  public:
    Reader(const char *path, int flags) {
        ring_reader *opened = nullptr;
        if (const int error = ring_reader_open(&opened, path, flags))
            throw std::runtime_error(std::string(path) + ": " + std::strerror(-error));
        reader_.reset(opened);
    }

    // The next event or loss, waited for; false at the end of the stream.
    bool next(ring_event &event, bool &lost) {
        const int result = ring_read(reader_.get(), &event, -1);
        if (result < 0)
            throw std::runtime_error(std::strerror(-result));
        lost = result == RING_LOST;
        return result != RING_ENDED;
    }

  private:
    struct Close {
        void operator()(ring_reader *reader) const { ring_reader_close(reader); }
    };
    std::unique_ptr<ring_reader, Close> reader_;
};

int follow(const char *path, int flags) {
    Reader reader(path, flags);
    ring_event event{};
    bool lost = false;
    std::cerr << "ready" << std::endl;
    while (reader.next(event, lost)) {
        if (lost)
            std::cerr << "lost " << event.lost << " from " << event.sequence << std::endl;
        else
            std::cout << std::string_view(reinterpret_cast<const char *>(event.data), event.size) << '\n';
    }
    return std::cout.flush() ? 0 : 1;
}

} // namespace

int main(int argc, char **argv) {
    int flags = 0, at = 1;
    std::ios::sync_with_stdio(false);
    for (; at < argc && argv[at][0] == '-'; at++) {
        const std::string_view option = argv[at];
        if (option == "--lossless")
            flags |= RING_LOSSLESS;
        else if (option == "--oldest")
            flags |= RING_OLDEST;
        else
            break;
    }
    if (at != argc - 1) {
        std::cerr << "usage: reader [--lossless] [--oldest] [--skip SECONDS] RING\n";
        return 2;
    }
    try {
        return follow(argv[at], flags);
    } catch (const std::exception &error) {
        std::cerr << "reader: " << error.what() << '\n';
        return 1;
    }
}
