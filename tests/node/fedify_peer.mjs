// A small server on Fedify, for tests/federation/test_fedify.py: node fedify_peer.mjs '{"name": …, "pins": {name: port}}'
//
// It prints {"port": …} and serves the network under https://NAME (somebody else ends TLS) and, at /control, the test:
// GET /control gives what was received, POST /control {"do": …, "who": …} lets somebody do something.

import { createServer } from "node:http";
import tls from "node:tls";

import { createFederation, exportJwk, generateCryptoKeyPair, InProcessMessageQueue, MemoryKvStore } from "@fedify/fedify";
import {
  Accept, Activity, Announce, Block, Create, Delete, Document, Emoji, EmojiReact, Endpoints, Flag, Follow, Hashtag, Image,
  Like, Mention, Move, Note, Person, PUBLIC_COLLECTION, Question, Collection, Tombstone, Undo, Update,
} from "@fedify/vocab";
import { Temporal } from "@js-temporal/polyfill";
import { configure } from "@logtape/logtape";

const given = JSON.parse(process.argv[2]);
const origin = `https://${given.name}`;
const PUBLIC = PUBLIC_COLLECTION;

// Node.js 20 has none; Fedify asks it where it runs.
globalThis.navigator ??= { userAgent: "Node.js" };

// Names are pinned to ports of this machine; what is asked, and how it is trusted, stays as it is.
const connect = tls.connect;
tls.connect = (options, ...more) => {
  const port = given.pins[options.servername ?? options.host];
  return port ? connect({ ...options, host: "127.0.0.1", port, servername: options.servername ?? options.host }, ...more)
    : connect(options, ...more);
};
await configure({
  sinks: { console: (record) => process.stderr.write(`${record.category.join(".")}: ${record.message.join("")} ${JSON.stringify(record.properties.error?.stack ?? record.properties.url ?? "")}\n`) },
  loggers: [
    { category: ["fedify", "webfinger"], lowestLevel: "error" },
    { category: "fedify", lowestLevel: "warning", sinks: ["console"] },
    { category: ["logtape", "meta"], lowestLevel: "error", sinks: [] },
  ],
});

const people = new Map(); // name → {keys, followers: Map(id → {id, inboxId, endpoints}), moved, aliases}
const objects = new Map(); // id → {object, who, open}
const received = [];
let counter = 0;

async function person(name) {
  if (!people.has(name)) {
    const keys = [await generateCryptoKeyPair("RSASSA-PKCS1-v1_5"), await generateCryptoKeyPair("Ed25519")];
    people.set(name, { keys, followers: new Map(), aliases: [], successor: null });
  }
  return people.get(name);
}

const federation = createFederation({
  kv: new MemoryKvStore(),
  queue: new InProcessMessageQueue({ pollInterval: { milliseconds: 50 } }),
  origin,
  allowPrivateAddress: true,
  circuitBreaker: false, // whoever was away for a moment shall not wait for minutes
  outboxRetryPolicy: ({ attempts }) => attempts > 200 ? null : Temporal.Duration.from({ milliseconds: 500 }),
});

federation
  .setActorDispatcher("/users/{identifier}", async (ctx, identifier) => {
    const known = people.get(identifier);
    if (!known) return null;
    const keys = await ctx.getActorKeyPairs(identifier);
    return new Person({
      id: ctx.getActorUri(identifier),
      preferredUsername: identifier,
      name: `${identifier} of Fedify`,
      summary: "<p>Somebody on a strict server</p>",
      url: new URL(`/@${identifier}`, origin),
      inbox: ctx.getInboxUri(identifier),
      outbox: ctx.getOutboxUri(identifier),
      followers: ctx.getFollowersUri(identifier),
      endpoints: new Endpoints({ sharedInbox: ctx.getInboxUri() }),
      publicKey: keys[0].cryptographicKey,
      assertionMethods: keys.map((pair) => pair.multikey),
      aliases: known.aliases,
      successor: known.successor,
    });
  })
  .setKeyPairsDispatcher(async (_, identifier) => people.get(identifier)?.keys ?? []);

const readable = async (ctx, kind, { identifier, id }) => {
  const kept = objects.get(ctx.getObjectUri(kind, { identifier, id }).href);
  if (!kept) return null;
  return kept.open || (await ctx.getSignedKeyOwner()) ? kept.object : null;
};
federation.setObjectDispatcher(Note, "/users/{identifier}/notes/{id}", (ctx, values) => readable(ctx, Note, values));
federation.setObjectDispatcher(Question, "/users/{identifier}/polls/{id}", (ctx, values) => readable(ctx, Question, values));
federation.setFollowersDispatcher("/users/{identifier}/followers", (_, identifier) => ({
  items: [...(people.get(identifier)?.followers.values() ?? [])],
}));
federation.setOutboxDispatcher("/users/{identifier}/outbox", () => ({ items: [] }));

federation
  .setInboxListeners("/users/{identifier}/inbox", "/inbox")
  .setSharedKeyDispatcher(() => ({ identifier: given.who }))
  .on(Activity, async (ctx, activity) => {
    const json = await activity.toJsonLd({ format: "compact", contextLoader: ctx.contextLoader });
    received.push({ type: json.type ?? activity.constructor.name, id: activity.id?.href, actor: activity.actorId?.href, object: activity.objectId?.href, json });
    if (activity instanceof Follow) await accept(ctx, activity);
    if (activity instanceof Undo && (await activity.getObject()) instanceof Follow) {
      for (const known of people.values()) known.followers.delete(activity.actorId.href);
    }
    const question = activity instanceof Create ? await activity.getObject() : null;
    if (question instanceof Note && question.name && question.replyTargetId) await countVote(ctx, question);
  })
  .onError((_, error) => process.stderr.write(`inbox: ${error.stack}\n`));

async function accept(ctx, follow) {
  const name = ctx.parseUri(follow.objectId)?.identifier;
  if (!people.has(name)) return;
  const follower = await follow.getActor(ctx);
  people.get(name).followers.set(follower.id.href, follower);
  const answer = new Accept({ id: fresh(name, "accepts"), actor: follow.objectId, object: follow });
  await ctx.sendActivity({ identifier: name }, follower, answer);
}

async function countVote(ctx, vote) {
  const kept = objects.get(vote.replyTargetId.href);
  if (!kept) return;
  const options = [];
  for await (const option of kept.object.getExclusiveOptions(ctx)) {
    const votes = (await option.getReplies(ctx))?.totalItems ?? 0;
    const more = option.name.toString() === vote.name.toString() ? 1 : 0;
    options.push(new Note({ name: option.name, replies: new Collection({ totalItems: votes + more }) }));
  }
  kept.object = kept.object.clone({ exclusiveOptions: options, voters: (kept.object.voters ?? 0) + 1, updated: Temporal.Now.instant() });
  await spread(ctx, kept.who, new Update({ id: fresh(kept.who, "updates"), actor: ctx.getActorUri(kept.who), object: kept.object, to: PUBLIC }), [vote.attributionId]);
}

const fresh = (name, kind) => new URL(`/users/${name}/${kind}/${++counter}`, origin);

async function spread(ctx, name, activity, uris = []) {
  const named = await Promise.all(uris.map((uri) => ctx.lookupObject(uri)));
  const everybody = new Map([...people.get(name).followers, ...named.map((one) => [one.id.href, one])]);
  await ctx.sendActivity({ identifier: name }, [...everybody.values()], activity, { preferSharedInbox: true });
}

function audience(ctx, who, visibility, mentions) {
  const followers = ctx.getFollowersUri(who);
  const named = mentions.map((one) => one.id);
  return {
    public: { tos: [PUBLIC], ccs: [followers, ...named] },
    unlisted: { tos: [followers], ccs: [PUBLIC, ...named] },
    private: { tos: [followers], ccs: named },
    direct: { tos: named, ccs: [] },
  }[visibility];
}

const verbs = {
  async join() {},
  async follow(ctx, { who, uri }) {
    const whom = await ctx.lookupObject(uri);
    const follow = new Follow({ id: fresh(who, "follows"), actor: ctx.getActorUri(who), object: whom.id, to: whom.id });
    await ctx.sendActivity({ identifier: who }, whom, follow);
    return follow.id.href;
  },
  async post(ctx, { who, content, visibility = "public", mentions = [], options, reply, picture, emoji, hashtag }) {
    const named = await Promise.all(mentions.map((handle) => ctx.lookupObject(handle)));
    const kind = options ? Question : Note;
    const id = ctx.getObjectUri(kind, { identifier: who, id: String(++counter) });
    const tags = named.map((one, n) => new Mention({ href: one.id, name: mentions[n] }));
    if (emoji) tags.push(new Emoji({ id: new URL(`/emojis/${emoji}`, origin), name: `:${emoji}:`, icon: new Image({ url: new URL(`/${emoji}.png`, origin), mediaType: "image/png" }) }));
    if (hashtag) tags.push(new Hashtag({ href: new URL(`/tags/${hashtag}`, origin), name: `#${hashtag}` }));
    const object = new kind({
      id, content, tags,
      attribution: ctx.getActorUri(who),
      published: Temporal.Now.instant(),
      replyTarget: reply ? new URL(reply) : undefined,
      attachments: picture ? [new Document({ url: new URL("/fennec.png", origin), mediaType: "image/png", name: picture })] : [],
      ...audience(ctx, who, visibility, named),
      ...(options ? {
        exclusiveOptions: options.map((name) => new Note({ name, replies: new Collection({ totalItems: 0 }) })),
        voters: 0,
        endTime: Temporal.Now.instant().add({ hours: 24 }),
      } : {}),
    });
    objects.set(id.href, { object, who, open: ["public", "unlisted"].includes(visibility) });
    const { tos, ccs } = audience(ctx, who, visibility, named);
    const create = new Create({ id: new URL(`${id.href}#create`), actor: ctx.getActorUri(who), object, tos, ccs });
    const inboxes = visibility === "direct" ? named : [...new Map([...people.get(who).followers, ...named.map((one) => [one.id.href, one])]).values()];
    await ctx.sendActivity({ identifier: who }, inboxes, create, { preferSharedInbox: true });
    return id.href;
  },
  async edit(ctx, { who, uri, content }) {
    const kept = objects.get(uri);
    kept.object = kept.object.clone({ content, updated: Temporal.Now.instant() });
    await spread(ctx, who, new Update({ id: fresh(who, "updates"), actor: ctx.getActorUri(who), object: kept.object, to: PUBLIC }));
  },
  async delete(ctx, { who, uri }) {
    objects.delete(uri);
    await spread(ctx, who, new Delete({ id: new URL(`${uri}#delete`), actor: ctx.getActorUri(who), object: new Tombstone({ id: new URL(uri) }), to: PUBLIC }));
  },
  async act(ctx, { who, kind, uri, whom, reaction, target }) {
    const [type, more] = {
      like: [Like, {}],
      announce: [Announce, { to: PUBLIC, published: Temporal.Now.instant() }],
      block: [Block, {}],
      react: [EmojiReact, { content: reaction }],
      flag: [Flag, { content: "Look at this" }],
      move: [Move, { target: target ? new URL(target) : undefined }],
    }[kind];
    const activity = new type({ id: fresh(who, `${kind}s`), actor: ctx.getActorUri(who), object: new URL(uri), ...more });
    await spread(ctx, who, activity, whom ? [whom] : []);
    return activity.id.href;
  },
  async undo(ctx, { who, kind, id, uri, whom, bare }) {
    const type = { like: Like, announce: Announce, block: Block, follow: Follow, react: EmojiReact }[kind];
    const actor = ctx.getActorUri(who);
    const object = bare ? new URL(id) : new type({ id: new URL(id), actor, object: new URL(uri) });
    await spread(ctx, who, new Undo({ id: new URL(`${id}/undo`), actor, object }), whom ? [whom] : []);
  },
  async move(ctx, { who, target }) {
    const new_ = await ctx.lookupObject(target);
    people.get(who).successor = new_.id;
    const move = new Move({ id: fresh(who, "moves"), actor: ctx.getActorUri(who), object: ctx.getActorUri(who), target: new_.id });
    await spread(ctx, who, move);
  },
  async alias(ctx, { who, uri }) {
    people.get(who).aliases.push((await ctx.lookupObject(uri)).id);
  },
  async look(ctx, { who, uri }) {
    const loader = await ctx.getDocumentLoader({ identifier: who });
    const found = await ctx.lookupObject(uri, { documentLoader: loader });
    return found ? await found.toJsonLd({ format: "compact", contextLoader: ctx.contextLoader }) : null;
  },
};

async function control(request) {
  if (request.method === "GET") return { received };
  const order = await request.json();
  if (order.who) await person(order.who);
  const ctx = federation.createContext(new URL(origin), undefined);
  return { result: (await verbs[order.do](ctx, order)) ?? null };
}

const PIXEL = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==", "base64");

const server = createServer(async (incoming, outgoing) => {
  const chunks = [];
  for await (const chunk of incoming) chunks.push(chunk);
  const url = new URL(incoming.url, origin);
  const body = chunks.length ? Buffer.concat(chunks) : undefined;
  const request = new Request(url, { method: incoming.method, headers: incoming.headers, body });
  try {
    let answer;
    if (url.pathname === "/control") answer = Response.json(await control(request));
    else if (url.pathname.endsWith(".png")) answer = new Response(PIXEL, { headers: { "content-type": "image/png" } });
    else answer = await federation.fetch(request, { contextData: undefined });
    outgoing.writeHead(answer.status, Object.fromEntries(answer.headers));
    outgoing.end(Buffer.from(await answer.arrayBuffer()));
  } catch (error) {
    process.stderr.write(`${error.stack}\n`);
    outgoing.writeHead(500).end(String(error));
  }
});
if (given.who) await person(given.who);
server.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ port: server.address().port })));
