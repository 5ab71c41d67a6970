/*
 * two_tier_simgrid.cpp - the two-tier case in SimGrid (S4U; written against 3.32, Debian 12).
 *
 * What:   three hosts and two links. Requests and answers are one-byte messages over the links; a station is one actor
 *         that receives (a permanent receiver, so that a message travels while the servers are busy) and one actor a
 *         server, which execute on the cores of the station's host. A round trip of 0 means no network at all: requests
 *         go straight into the queue (a message over a link without latency would cost SimGrid twice the time).
 * Usage:  two_tier_simgrid REQUESTS EDGE_RTT_MS CLOUD_RTT_MS [--cfg=...]
 *         --cfg=network/latency-factor:1 is needed for links to have the latency they state: the default model (LV08)
 *         multiplies it by 13.01.
 * Prints: requests, edge mean ms, cloud mean ms, wall seconds (one line, tab-separated).
 */
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <random>
#include <simgrid/s4u.hpp>
#include <string>

namespace s4u = simgrid::s4u;

constexpr double speed = 1e9; // flops per second of one core

struct Request {
    double sent;    // s, at the client
    double service; // s, drawn at the client
};

struct Tier {
    const char *name;
    double mean_s;
    int servers;
    double rtt_s = 0;
    double sum_s = 0;
    int64_t sent = 0, received = 0;
    std::deque<Request *> queue = {};
    s4u::SemaphorePtr waiting = nullptr;
    s4u::Mailbox *inbox = nullptr, *answers = nullptr;
};

static Tier tiers[2] = {{"edge", 0.005, 1}, {"cloud", 0.060, 4}};

static void enqueue(Tier *tier, Request *request)
{
    tier->queue.push_back(request);
    tier->waiting->release();
}

static void record(Tier *tier, Request *request)
{
    tier->sum_s += s4u::Engine::get_clock() - request->sent;
    tier->received++;
    delete request;
}

static void client(int64_t requests)
{
    std::mt19937_64 rng(7919);
    std::exponential_distribution<double> gap(1 / 0.006), edge(1 / 0.005), cloud(1 / 0.060);
    std::uniform_real_distribution<double> uniform;
    for (int64_t i = 0; i < requests; i++) {
        s4u::this_actor::sleep_for(gap(rng));
        const bool to_edge = uniform(rng) < 0.8;
        Tier &tier = tiers[to_edge ? 0 : 1];
        tier.sent++;
        auto *request = new Request{s4u::Engine::get_clock(), to_edge ? edge(rng) : cloud(rng)};
        if (tier.rtt_s > 0) {
            tier.inbox->put_init(request, 1)->detach();
        } else {
            enqueue(&tier, request);
        }
    }
}

static void receiver(Tier *tier)
{
    tier->inbox->set_receiver(s4u::Actor::self());
    for (;;) {
        enqueue(tier, tier->inbox->get<Request>());
    }
}

static void server(Tier *tier)
{
    for (;;) {
        tier->waiting->acquire();
        Request *request = tier->queue.front();
        tier->queue.pop_front();
        s4u::this_actor::execute(request->service * speed);
        if (tier->rtt_s > 0) {
            tier->answers->put_init(request, 1)->detach();
        } else {
            record(tier, request);
        }
    }
}

static void collector(Tier *tier)
{
    tier->answers->set_receiver(s4u::Actor::self());
    for (;;) {
        record(tier, tier->answers->get<Request>());
    }
}

int main(int argc, char **argv)
{
    s4u::Engine engine(&argc, argv);
    if (argc != 4) {
        std::fprintf(stderr, "usage: two_tier_simgrid REQUESTS EDGE_RTT_MS CLOUD_RTT_MS\n");
        return 2;
    }
    const auto requests = static_cast<int64_t>(std::strtod(argv[1], nullptr));
    s4u::NetZone *zone = s4u::create_full_zone("world");
    s4u::Host *home = zone->create_host("client", speed)->seal();
    for (int i = 0; i < 2; i++) {
        Tier &tier = tiers[i];
        tier.rtt_s = std::strtod(argv[2 + i], nullptr) / 1e3;
        s4u::Host *host = zone->create_host(tier.name, speed)->set_core_count(tier.servers)->seal();
        const s4u::Link *link = zone->create_link(std::string(tier.name) + "-link", 1e12)
                                    ->set_latency(tier.rtt_s / 2)
                                    ->set_sharing_policy(s4u::Link::SharingPolicy::FATPIPE)
                                    ->seal();
        zone->add_route(home->get_netpoint(), host->get_netpoint(), nullptr, nullptr, {s4u::LinkInRoute(link)}, true);
        tier.waiting = s4u::Semaphore::create(0);
        tier.inbox = s4u::Mailbox::by_name(std::string(tier.name) + "-inbox");
        tier.answers = s4u::Mailbox::by_name(std::string(tier.name) + "-answers");
        s4u::Actor::create("receiver", host, receiver, &tier)->daemonize();
        for (int k = 0; k < tier.servers; k++) {
            s4u::Actor::create("server", host, server, &tier)->daemonize();
        }
        s4u::Actor::create("collector", home, collector, &tier)->daemonize();
    }
    zone->seal();
    s4u::Actor::create("client", home, client, requests);

    const auto start = std::chrono::steady_clock::now();
    engine.run(); // ends with the client; the last few requests inside are not counted
    const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
    std::printf("%lld\t%.4f\t%.4f\t%.4f\n", static_cast<long long>(requests),
                1e3 * tiers[0].sum_s / static_cast<double>(tiers[0].received),
                1e3 * tiers[1].sum_s / static_cast<double>(tiers[1].received), wall.count());
    return 0;
}
