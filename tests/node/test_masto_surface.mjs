// Every method that masto declares is called on a running server. Run by tests/clients/test_masto.py, as test_masto.mjs is.

import assert from "node:assert/strict";

import { createRestAPIClient } from "masto";

import { listMethods, record } from "./surface.mjs";

const REMOVED = "gone from Mastodon, as from here";
const NOT_APPLICABLE = {
  "v1.annualReports": "this server looks at nobody's year",
  "v1.search.list": REMOVED,
  "v1.statuses.$select.card.fetch": REMOVED,
  "v1.timelines.direct.list": REMOVED,
  "v1.notifications.fetch": "the same address as v1.notifications.list",
};
const PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

const given = JSON.parse(process.argv[2]);
const called = new Set();
const open = (member) => record(createRestAPIClient({ url: given.url, accessToken: member.token }), called);
const [alice, bob, carol] = [open(given.alice), open(given.bob), open(given.carol)];
const v1 = alice.v1, v2 = alice.v2;
const tag = `masto${given.mark}`;
const picture = () => new Blob([Buffer.from(PIXEL, "base64")], { type: "image/png" });
const refused = (answer, ...statuses) => assert.rejects(async () => await answer, (error) => statuses.includes(error.statusCode));

async function server() {
  for (const read of [
    v1.apps.verifyCredentials, v1.customEmojis.list, v1.directory.list, v1.instance.peers.list,
    v1.instance.activity.list, v1.instance.languages.list, v1.instance.extendedDescription.fetch,
    v1.instance.translationLanguages.list, v1.instance.domainBlocks.fetch, v1.instance.fetch, v1.preferences.fetch,
    v1.suggestions.list, v1.trends.links.list, v1.trends.statuses.list, v1.trends.tags.list, v2.instance.fetch,
    v2.suggestions.list,
  ]) {
    assert.ok(await read());
  }
  const [announced] = (await v1.announcements.list()).slice(-1);
  await v1.announcements.$select(announced.id).reactions.$select("🎉").update();
  assert.equal((await v1.announcements.list()).at(-1).reactions[0].me, true);
  await v1.announcements.$select(announced.id).reactions.$select("🎉").remove();
  await v1.announcements.$select(announced.id).dismiss();
  await refused(v1.emails.confirmations.create({ email: "somebody@mail.example" }), 403);
  const app = await v1.apps.create({ clientName: "Surface", redirectUris: "urn:ietf:wg:oauth:2.0:oob" });
  assert.ok(app.clientSecret);
  // Only apps without a person may let one join, but nothing comes before the form is right.
  const form = { username: given.bob.username, email: "x", password: "y", agreement: true, locale: "en" };
  await refused(v1.accounts.create(form), 401, 403, 422);
}

async function people() {
  const them = v1.accounts.$select(given.bob.id);
  await bob.v1.accounts.updateCredentials({ discoverable: true });
  assert.equal((await them.follow()).following, true);
  await bob.v1.accounts.$select(given.alice.id).follow();
  for (const part of ["featuredTags", "identityProofs", "lists", "followers", "following", "statuses", "endorsements", "collections"]) {
    assert.ok(await them[part].list(), part);
  }
  assert.ok(await v1.accounts.$select(given.alice.id).inCollections.list());
  assert.equal((await them.note.create({ comment: "lends books" })).note, "lends books");
  assert.equal((await them.endorse()).endorsed, true);
  assert.equal((await v1.endorsements.list())[0].id, given.bob.id);
  assert.equal((await them.unendorse()).endorsed, false);
  assert.equal((await them.pin()).endorsed, true);
  assert.equal((await them.unpin()).endorsed, false);
  assert.equal((await them.mute()).muting, true);
  assert.equal((await v1.mutes.list()).length, 1);
  assert.equal((await them.unmute()).muting, false);
  await them.removeFromFollowers();
  assert.equal((await them.unfollow()).following, false);
  assert.equal((await them.block()).blocking, true);
  assert.equal((await v1.blocks.list()).length, 1);
  assert.equal((await them.unblock()).blocking, false);
  assert.equal((await them.fetch()).id, given.bob.id);
  assert.equal((await v1.accounts.fetch({ id: [given.bob.id] })).length, 1);
  assert.equal((await v1.accounts.relationships.fetch({ id: [given.bob.id] })).length, 1);
  assert.equal((await v1.accounts.familiarFollowers.fetch({ id: [given.bob.id] })).length, 1);
  assert.equal((await v1.accounts.search.list({ q: given.bob.username })).length, 1);
  assert.equal((await v1.accounts.lookup({ acct: given.bob.username })).id, given.bob.id);
  assert.equal((await v1.accounts.verifyCredentials()).id, given.alice.id);
  await v1.suggestions.$select(given.bob.id).remove();
  await v1.domainBlocks.create({ domain: "blocked.example" });
  assert.deepEqual(await v1.domainBlocks.list(), ["blocked.example"]);
  await v1.domainBlocks.remove({ domain: "blocked.example" });
  assert.equal((await v1.reports.create({ accountId: given.bob.id, comment: "look" })).targetAccount.id, given.bob.id);
}

async function profile() {
  await v1.profile.update({ locked: true, avatar: picture() });
  assert.equal((await v1.profile.fetch()).locked, true);
  assert.ok(await v1.profile.avatar.remove());
  assert.ok(await v1.profile.header.remove());
  await bob.v1.accounts.$select(given.alice.id).follow();
  await carol.v1.accounts.$select(given.alice.id).follow();
  assert.equal((await v1.followRequests.list()).length, 2);
  assert.equal((await v1.followRequests.$select(given.bob.id).authorize()).followedBy, true);
  assert.equal((await v1.followRequests.$select(given.carol.id).reject()).followedBy, false);
  await v1.profile.update({ locked: false });
}

async function posts() {
  const first = await v1.media.create({ file: picture(), description: "one" });
  const file = await v2.media.create({ file: picture(), description: "two" });
  assert.equal((await v1.media.$select(file.id).update({ description: "three" })).description, "three");
  assert.equal((await v1.media.$select(first.id).fetch()).id, first.id);
  const post = await v1.statuses.create({ status: `Hello #${tag}`, mediaIds: [file.id], quoteApprovalPolicy: "public" });
  const it = v1.statuses.$select(post.id), theirs = bob.v1.statuses.$select(post.id);
  for (const act of ["favourite", "bookmark", "reblog", "mute"]) assert.ok(await theirs[act](), act);
  await bob.v1.statuses.create({ status: "Look", quotedStatusId: post.id });
  for (const part of ["rebloggedBy", "favouritedBy", "quotes", "history"]) assert.equal((await it[part].list()).length, 1, part);
  assert.equal((await bob.v1.favourites.list()).length, 1);
  assert.equal((await bob.v1.bookmarks.list()).length, 1);
  for (const act of ["unfavourite", "unbookmark", "unreblog", "unmute"]) assert.ok(await theirs[act](), act);
  assert.equal((await it.pin()).pinned, true);
  assert.equal((await it.unpin()).pinned, false);
  assert.ok(await it.context.fetch());
  assert.ok(await it.source.fetch());
  // No service for translations is set up.
  await refused(it.translate({ lang: "de" }), 403, 404, 503);
  assert.ok((await it.update({ status: `Hi #${tag}`, mediaIds: [file.id] })).editedAt);
  assert.equal((await it.fetch()).id, post.id);
  assert.equal((await v1.statuses.fetch({ id: [post.id] })).length, 1);
  const asked = await v1.statuses.create({ status: "Which?", poll: { options: ["this", "that"], expiresIn: 600 } });
  assert.equal((await bob.v1.polls.$select(asked.poll.id).votes.create({ choices: [0] })).voted, true);
  assert.equal((await v1.polls.$select(asked.poll.id).fetch()).votesCount, 1);
  assert.equal((await v1.statuses.$select(asked.id).remove()).id, asked.id);
  const later = await v1.statuses.create({ status: "later", scheduledAt: "2999-01-01T00:00:00Z" });
  const waiting = v1.scheduledStatuses.$select(later.id);
  assert.equal((await v1.scheduledStatuses.list()).length, 1);
  assert.equal((await waiting.fetch()).id, later.id);
  assert.match((await waiting.update({ scheduledAt: "2999-02-01T00:00:00Z" })).scheduledAt, /-02-/);
  await waiting.remove();
}

async function timelines() {
  await v1.accounts.$select(given.bob.id).follow();
  const post = await bob.v1.statuses.create({ status: `Read this #${tag}` });
  for (const read of [v1.timelines.home.list, v1.timelines.public.list, v1.timelines.tag.$select(tag).list]) {
    assert.equal((await read())[0].id, post.id);
  }
  await refused(v1.timelines.link.list({ url: "https://example.org/nobody-shared-it" }), 404);
  const list = await v1.lists.create({ title: "Some" });
  const it = v1.lists.$select(list.id);
  await it.accounts.create({ accountIds: [given.bob.id] });
  assert.equal((await it.accounts.list()).length, 1);
  assert.ok(await v1.timelines.list.$select(list.id).list());
  assert.equal((await it.update({ title: "Others" })).title, "Others");
  assert.equal((await it.fetch()).title, "Others");
  assert.equal((await v1.lists.list()).length, 1);
  await it.accounts.remove({ accountIds: [given.bob.id] });
  await it.remove();
  await bob.v1.statuses.create({ status: `@${given.alice.username} only you`, visibility: "direct" });
  const [talk] = await v1.conversations.list();
  assert.equal((await v1.conversations.$select(talk.id).read()).unread, false);
  assert.equal((await v1.conversations.$select(talk.id).unread()).unread, true);
  await v1.conversations.$select(talk.id).remove();
  assert.ok((await v1.markers.create({ home: { lastReadId: post.id } })).home);
  assert.equal((await v1.markers.fetch({ timeline: ["home"] })).home.lastReadId, post.id);
  assert.equal((await v2.search.list({ q: given.bob.username, type: "accounts" })).accounts.length, 1);
}

async function hashtags() {
  const it = v1.tags.$select(tag);
  assert.equal((await it.fetch()).name, tag);
  assert.equal((await it.follow()).following, true);
  assert.equal((await v1.followedTags.list()).length, 1);
  assert.equal((await it.unfollow()).following, false);
  assert.ok(await it.feature());
  assert.ok(await it.unfeature());
  assert.ok(await v1.featuredTags.suggestions.list());
  const featured = await v1.featuredTags.create({ name: tag });
  assert.equal((await v1.featuredTags.list()).length, 1);
  await v1.featuredTags.$select(featured.id).remove();
}

async function filters() {
  const old = await v1.filters.create({ phrase: "quinces", context: ["home"] });
  const one = v1.filters.$select(old.id);
  assert.equal((await one.update({ phrase: "medlars", context: ["home"] })).phrase, "medlars");
  assert.equal((await one.fetch()).phrase, "medlars");
  assert.equal((await v1.filters.list()).length, 1);
  await one.remove();
  const made = await v2.filters.create({ title: "Fruit", context: ["home"], keywordsAttributes: [{ keyword: "pears" }] });
  const it = v2.filters.$select(made.id);
  const word = await it.keywords.create({ keyword: "plums" });
  assert.equal((await it.keywords.list()).length, 2);
  assert.equal((await v2.filters.keywords.$select(word.id).fetch()).keyword, "plums");
  assert.equal((await v2.filters.keywords.$select(word.id).update({ keyword: "figs" })).keyword, "figs");
  await v2.filters.keywords.$select(word.id).remove();
  const post = await v1.statuses.create({ status: "No fruit here" });
  const entry = await it.statuses.create({ statusId: post.id });
  assert.equal((await it.statuses.list()).length, 1);
  assert.equal((await v2.filters.statuses.$select(entry.id).fetch()).statusId, post.id);
  await v2.filters.statuses.$select(entry.id).remove();
  assert.equal((await it.update({ title: "No fruit" })).title, "No fruit");
  assert.equal((await it.fetch()).title, "No fruit");
  assert.equal((await v2.filters.list()).length, 1);
  await it.remove();
}

async function collections() {
  const { collection } = await v1.collections.create({ name: "Good ones" });
  const it = v1.collections.$select(collection.id);
  const added = await it.items.create({ accountId: given.bob.id });
  await bob.v1.collections.$select(collection.id).items.$select(added.collectionItem.id).revoke();
  await carol.v1.accounts.updateCredentials({ discoverable: true });
  const other = await it.items.create({ accountId: given.carol.id });
  await it.items.$select(other.collectionItem.id).remove();
  assert.equal((await it.update({ name: "Better ones" })).collection.name, "Better ones");
  assert.equal((await it.fetch()).collection.name, "Better ones");
  await it.remove();
}

async function notifications() {
  const post = await v1.statuses.create({ status: "Something to talk about" });
  await bob.v1.statuses.$select(post.id).favourite();
  await bob.v1.statuses.$select(post.id).reblog();
  const [told] = await v1.notifications.list();
  assert.equal((await v1.notifications.$select(told.id).fetch()).id, told.id);
  assert.ok((await v1.notifications.unreadCount.fetch()).count > 0);
  assert.ok((await v2.notifications.unreadCount.fetch()).count > 0);
  const [group] = (await v2.notifications.list()).notificationGroups;
  assert.ok(await v2.notifications.$select(group.groupKey).fetch());
  assert.ok(await v2.notifications.$select(group.groupKey).accounts.fetch());
  await v2.notifications.$select(group.groupKey).dismiss();
  await v1.notifications.$select((await v1.notifications.list())[0].id).dismiss();
  assert.ok(await v2.notifications.policy.fetch());
  assert.equal((await v2.notifications.policy.update({ forNotFollowing: "filter" })).forNotFollowing, "filter");
  const ask = async () => {
    await carol.v1.statuses.create({ status: `@${given.alice.username} hello?` });
    return (await v1.notifications.requests.list())[0].id;
  };
  const request = v1.notifications.requests.$select(await ask());
  assert.equal((await request.fetch()).account.id, given.carol.id);
  await request.dismiss();
  await v1.notifications.requests.dismiss({ id: [await ask()] });
  const last = await ask();
  await v1.notifications.requests.$select(last).accept();
  await v1.notifications.requests.accept({ id: [last] });
  assert.equal(typeof (await v1.notifications.requests.merged.fetch()).merged, "boolean");
  await v1.notifications.clear();
}

async function push() {
  await v1.push.subscription.create({ subscription: given.subscription, data: { alerts: { mention: true } } });
  assert.equal((await v1.push.subscription.fetch()).alerts.mention, true);
  assert.equal((await v1.push.subscription.update({ data: { alerts: { mention: false } } })).alerts.mention, false);
  await v1.push.subscription.remove();
}

let failed = false;
for (const walk of [server, people, profile, posts, timelines, hashtags, filters, collections, notifications, push]) {
  const started = Date.now();
  await walk().catch((error) => {
    failed = true;
    console.log(`${walk.name}: ${error.stack}`);
  });
  console.log(`${walk.name}: ${Date.now() - started} ms`);
}
const applies = (path) => !Object.keys(NOT_APPLICABLE).some((one) => path === one || path.startsWith(`${one}.`));
const left = [...listMethods().keys()].filter((path) => applies(path) && !called.has(path));
if (left.length) console.log(`never called: ${left.join(", ")}`);
process.exit(failed || left.length ? 1 : 0);
