// masto, a client for JavaScript, drives a running server. Run by tests/clients/test_masto.py, which says where
// the server is and who alice and bob are: node test_masto.mjs '{"url": …, "streaming": …, "alice": {token, username, id}, …}'

import assert from "node:assert/strict";
import { once, EventEmitter } from "node:events";

import { createRestAPIClient, createStreamingAPIClient } from "masto";

const PATIENCE = 30_000;
const PIXEL =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

const given = JSON.parse(process.argv[2]);
const tag = `masto${given.mark}`;
const open = (member) => createRestAPIClient({ url: given.url, accessToken: member.token });
const alice = open(given.alice);
const bob = open(given.bob);
const anybody = createRestAPIClient({ url: given.url });
const ids = (things) => things.map((thing) => thing.id);

async function refuses(promise, status) {
  await assert.rejects(promise, (error) => error.statusCode === status);
}

async function eventually(condition, what) {
  const end = Date.now() + PATIENCE;
  while (!(await condition())) {
    assert.ok(Date.now() < end, `never came to pass: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function signIn() {
  const me = await alice.v1.accounts.verifyCredentials();
  assert.equal(me.username, given.alice.username);
  assert.equal(me.source.privacy, "public");
  await refuses(open({ token: "wrong" }).v1.accounts.verifyCredentials(), 401);
  const instance = await anybody.v2.instance.fetch();
  assert.ok(instance.version.startsWith("4."));
  assert.equal(instance.configuration.urls.streaming, given.streaming);
}

async function posts() {
  const file = new Blob([Buffer.from(PIXEL, "base64")], { type: "image/png" });
  const picture = await alice.v2.media.create({ file, description: "one pixel" });
  assert.equal(picture.description, "one pixel");
  const post = await alice.v1.statuses.create({
    status: `With a picture #${tag}`,
    mediaIds: [picture.id],
    spoilerText: "small",
    visibility: "public",
  });
  assert.equal(post.mediaAttachments[0].id, picture.id);
  assert.equal(post.sensitive, true);
  assert.deepEqual(post.tags.map((one) => one.name), [tag]);

  const reply = await bob.v1.statuses.create({ status: "Seen", inReplyToId: post.id });
  const context = await alice.v1.statuses.$select(post.id).context.fetch();
  assert.deepEqual(ids(context.descendants), [reply.id]);

  const edited = await alice.v1.statuses.$select(post.id).update({
    status: `With another text #${tag}`,
    mediaIds: [picture.id],
    mediaAttributes: [{ id: picture.id, description: "still one pixel" }],
  });
  assert.ok(edited.editedAt);
  assert.equal(edited.mediaAttachments[0].description, "still one pixel");
  const history = await alice.v1.statuses.$select(post.id).history.list();
  assert.equal(history.length, 2);
  assert.match((await alice.v1.statuses.$select(post.id).source.fetch()).text, /another text/);

  for (const [act, flag] of [["favourite", "favourited"], ["reblog", "reblogged"], ["bookmark", "bookmarked"]]) {
    const done = await bob.v1.statuses.$select(post.id)[act]();
    assert.equal((done.reblog ?? done)[flag], true);
  }
  const seen = await anybody.v1.statuses.$select(post.id).fetch();
  assert.deepEqual([seen.repliesCount, seen.reblogsCount, seen.favouritesCount], [1, 1, 1]);
  assert.deepEqual(ids(await alice.v1.statuses.$select(post.id).favouritedBy.list()), [given.bob.id]);
  assert.equal((await bob.v1.statuses.$select(post.id).unfavourite()).favourited, false);

  await alice.v1.statuses.$select(reply.id).fetch();
  await refuses(alice.v1.statuses.$select(reply.id).remove(), 404);
  await bob.v1.statuses.$select(reply.id).remove();
  await refuses(alice.v1.statuses.$select(reply.id).fetch(), 404);

  const key = `key-${given.mark}`;
  const once = { requestInit: { headers: { "Idempotency-Key": key } } };
  const first = await alice.v1.statuses.create({ status: "Only once" }, once);
  assert.equal((await alice.v1.statuses.create({ status: "Only once" }, once)).id, first.id);
}

async function polls() {
  const post = await alice.v1.statuses.create({
    status: "Which?",
    poll: { options: ["this", "that"], expiresIn: 600, multiple: false },
  });
  const voted = await bob.v1.polls.$select(post.poll.id).votes.create({ choices: [1] });
  assert.deepEqual(voted.ownVotes, [1]);
  const seen = await alice.v1.polls.$select(post.poll.id).fetch();
  assert.deepEqual(seen.options.map((option) => option.votesCount), [0, 1]);
}

async function people() {
  assert.equal((await alice.v1.accounts.$select(given.bob.id).follow()).following, true);
  const [relationship] = await bob.v1.accounts.relationships.fetch({ id: [given.alice.id] });
  assert.equal(relationship.followedBy, true);
  assert.deepEqual(ids(await alice.v1.accounts.$select(given.bob.id).followers.list()), [given.alice.id]);
  assert.equal((await alice.v1.accounts.lookup({ acct: given.bob.username })).id, given.bob.id);
  const changed = await bob.v1.accounts.updateCredentials({
    displayName: "Bob of the walk",
    fieldsAttributes: [{ name: "Where", value: "here" }],
  });
  assert.equal(changed.fields[0].value, "here");
}

async function timelines() {
  const made = [];
  for (let number = 0; number < 5; number++) {
    made.unshift((await bob.v1.statuses.create({ status: `Number ${number}` })).id);
  }
  const pages = [];
  for await (const page of alice.v1.timelines.home.list({ limit: 2 })) {
    pages.push(...ids(page));
    if (pages.length >= 5) break;
  }
  assert.deepEqual(pages.slice(0, 5), made);
  const own = [];
  for await (const page of anybody.v1.accounts.$select(given.bob.id).statuses.list({ limit: 2 })) {
    own.push(...ids(page));
  }
  assert.equal(new Set(own).size, own.length);
  assert.deepEqual(own.slice(0, 5), made);
  const local = await anybody.v1.timelines.public.list({ local: true, limit: 40 });
  assert.ok(ids(local).includes(made[0]));
  assert.ok((await anybody.v1.timelines.tag.$select(tag).list()).length > 0);
}

async function notifications() {
  await bob.v1.statuses.create({ status: `@${given.alice.username} hello` });
  const told = await alice.v1.notifications.list({ limit: 1 });
  assert.equal(told[0].type, "mention");
  assert.equal(told[0].account.id, given.bob.id);
  await alice.v1.notifications.$select(told[0].id).dismiss();
  await refuses(alice.v1.notifications.$select(told[0].id).fetch(), 404);
  await alice.v1.notifications.clear();
  assert.deepEqual(await alice.v1.notifications.list(), []);
}

async function search() {
  const post = await alice.v1.statuses.create({ status: `Looking for ${tag}word` });
  await eventually(
    async () => ids((await alice.v2.search.list({ q: `${tag}word`, type: "statuses" })).statuses).includes(post.id),
    "the post is found",
  );
  const found = await alice.v2.search.list({ q: given.bob.username, type: "accounts" });
  assert.deepEqual(ids(found.accounts), [given.bob.id]);
}

/** Collects what a subscription brings, to be waited for. */
class Told extends EventEmitter {
  constructor(subscription) {
    super();
    this.seen = [];
    this.listening = this.listen(subscription);
  }

  async listen(subscription) {
    for await (const event of subscription) {
      this.seen.push([event.event, event.payload?.id ?? event.payload]);
      this.emit("told");
    }
  }

  has(name, id) {
    return this.seen.some((entry) => entry[0] === name && (id === undefined || entry[1] === id));
  }

  async wait(name, id) {
    const signal = AbortSignal.timeout(PATIENCE);
    while (!this.has(name, id)) {
      await once(this, "told", { signal }).catch(() => {
        assert.fail(`never came: ${name} ${id}; there were ${JSON.stringify(this.seen)}`);
      });
    }
  }
}

async function streaming() {
  const streams = createStreamingAPIClient({ streamingApiUrl: given.streaming, accessToken: given.alice.token });
  const told = [
    new Told(streams.user.subscribe()),
    new Told(streams.public.local.subscribe()),
    new Told(streams.hashtag.subscribe({ tag })),
  ];
  // Nothing tells a client that it is subscribed, but what comes.
  await eventually(async () => {
    await bob.v1.statuses.create({ status: `Knock #${tag}` });
    return told.every((one) => one.seen.length > 0);
  }, "all streams bring something");

  const post = await bob.v1.statuses.create({ status: `Live, @${given.alice.username} #${tag}` });
  await Promise.all(told.map((one) => one.wait("update", post.id)));
  await told[0].wait("notification");
  await bob.v1.statuses.$select(post.id).update({ status: `Still live #${tag}` });
  await Promise.all(told.map((one) => one.wait("status.update", post.id)));
  await bob.v1.statuses.$select(post.id).remove();
  await Promise.all(told.map((one) => one.wait("delete", post.id)));
  streams.close();
}

for (const walk of [signIn, posts, polls, people, timelines, notifications, search, streaming]) {
  const started = Date.now();
  await walk();
  console.log(`${walk.name}: ${Date.now() - started} ms`);
}
process.exit(0);
