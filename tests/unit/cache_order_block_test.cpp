#include <catch2/catch.hpp>

#include <cstring>

#include "cache/order_block.h"
#include "cache/order_index.h"
#include "edge/base/rng.h"

using namespace holdfast;

namespace {

OrderKey key_of(std::uint64_t a, std::uint64_t b) {
    OrderKey out;
    std::memcpy(out.data(), &a, 8);
    std::memcpy(out.data() + 8, &b, 8);
    return out;
}

OrderBlock filled(std::size_t answer) {
    OrderBlock block;
    block.db = 3;
    block.sequence = 17;
    while (has_room(block, answer)) {
        OrderRecord r;
        r.epoch = block.count;
        r.answer = std::string(answer, 'a');
        append_order(block, key_of(1, block.count), r);
    }
    return block;
}

const SecretKey kKey{};

}  // namespace

TEST_CASE("order block: what goes in comes out, and two sealed ones fill a page") {
    for (const std::size_t answer : {std::size_t{0}, std::size_t{96}, std::size_t{1000}, kOrderAnswerMax}) {
        const OrderBlock block = filled(answer);
        CHECK(block.plain.size() == block.count * (kOrderEntryBytes + answer));
        CHECK(block.count <= kOrdersPerBlockMax);
        std::vector<OrderKey> keys;
        REQUIRE(read_order_keys(block.plain, keys));
        REQUIRE(keys.size() == block.count);
        for (std::uint32_t i = 0; i < block.count; ++i) {
            OrderRecord r;
            CHECK(keys[i] == key_of(1, i));
            REQUIRE(read_order(block.plain, i, keys[i], r));
            CHECK(r.epoch == i);
            CHECK_FALSE(read_order(block.plain, i, key_of(2, i), r));
            CHECK_FALSE(read_order(block.plain, block.count + i, keys[i], r));
        }
        Codec codec(kKey, 1);
        std::string sealed;
        seal_block(codec, block, sealed);
        if (block.count > 1) CHECK(sealed.size() + 16 <= 2038);
    }
}

TEST_CASE("order block: it opens in its own place and store only, and not when a byte was changed") {
    Codec codec(kKey, 1), other(kKey, 2);
    const OrderBlock block = filled(96);
    std::string sealed;
    seal_block(codec, block, sealed);
    REQUIRE(open_block(codec, 3, 17, sealed));
    CHECK(*open_block(codec, 3, 17, sealed) == block.plain);
    CHECK_FALSE(open_block(codec, 3, 18, sealed));
    CHECK_FALSE(open_block(codec, 4, 17, sealed));
    CHECK_FALSE(open_block(other, 3, 17, sealed));
    for (std::size_t i = 0; i < sealed.size(); i += 3) {
        std::string bad = sealed;
        bad[i] = static_cast<char>(bad[i] ^ 0x20);
        INFO(i);
        CHECK_FALSE(open_block(codec, 3, 17, bad));
        CHECK_FALSE(open_block(codec, 3, 17, std::string_view(sealed).substr(0, i)));
    }
}

TEST_CASE("order block: bytes that are none are refused, wherever they break off") {
    const OrderBlock block = filled(96);
    std::vector<OrderKey> keys;
    for (std::size_t i = 0; i < block.plain.size(); ++i)
        CHECK(read_order_keys(std::string_view(block.plain).substr(0, i), keys) ==
              (i > 0 && i % (kOrderEntryBytes + 96) == 0));
    std::string many;
    for (std::size_t i = 0; i <= kOrdersPerBlockMax; ++i) many += std::string(20, '\0');
    CHECK_FALSE(read_order_keys(many, keys));
}

TEST_CASE("order block: sequence numbers sort as LMDB sorts their keys") {
    std::string before;
    for (const std::uint64_t n : std::vector<std::uint64_t>{0, 1, 255, 256, 65'535, 1ull << 32, UINT64_MAX}) {
        const auto key = sequence_key(n);
        CHECK(view_of(key) >= before);
        CHECK(sequence_of(view_of(key)) == n);
        before = view_of(key);
    }
}

TEST_CASE("order index: holds as many as it was made for, each with its newest place") {
    constexpr std::uint32_t kMost = 5000;
    OrderIndex index(kMost);
    CHECK_FALSE(index.find(key_of(1, 1)));
    Rng rng(3);
    std::vector<OrderKey> keys;
    for (std::uint32_t i = 0; i < kMost; ++i) {
        CHECK_FALSE(index.full());
        keys.push_back(key_of(rng.next(), rng.next()));
        index.put(keys.back(), {i, i % 32});
    }
    CHECK(index.full());
    CHECK(index.size() == kMost);
    for (std::uint32_t i = 0; i < kMost; ++i) {
        const auto place = index.find(keys[i]);
        REQUIRE(place);
        CHECK(place->block == i);
        CHECK(place->slot == i % 32);
        CHECK_FALSE(index.find(key_of(rng.next(), rng.next())));
    }
    index.clear();
    CHECK_FALSE(index.find(keys[0]));
    index.put(keys[0], {1, 2});
    index.put(keys[0], {kBlocksPerPartMax - 1, 31});
    index.put_older(keys[0], {5, 6});
    index.put_older(keys[1], {7, 8});
    CHECK(index.size() == 2);
    CHECK(index.find(keys[0])->block == kBlocksPerPartMax - 1);
    CHECK(index.find(keys[0])->slot == 31);
    CHECK(index.find(keys[1])->block == 7);
    CHECK(OrderIndex(1u << 30).bytes() <= kOrdersPerPartMax / 3 * 32 + 256);
}

TEST_CASE("order index: orders that meet at its end and keys of zeros are found") {
    OrderIndex index(100);
    for (std::uint32_t i = 0; i < 20; ++i) index.put(key_of(UINT64_MAX, (i + 1ull) << 40), {i, 0});
    index.put(key_of(0, 0), {77, 0});
    for (std::uint32_t i = 0; i < 20; ++i) CHECK(index.find(key_of(UINT64_MAX, (i + 1ull) << 40))->block == i);
    CHECK(index.find(key_of(0, 0))->block == 77);
}
