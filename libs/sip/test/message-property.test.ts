/** What must hold for any bytes, any header fields and any URI. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import test from 'node:test'
import fc from 'fast-check'
import { headerList } from '../src/message/header-list.ts'
import { makeAck, makeCancel, makeResponse, withReceived } from '../src/message/make.ts'
import type { ParseOutcome, SipMessage } from '../src/message/message.ts'
import { parseDatagram, parseStream } from '../src/message/parse.ts'
import * as read from '../src/message/read.ts'
import { screenRequest, screenResponse } from '../src/message/screen.ts'
import { flatten } from '../src/message/text.ts'
import { parseNameAddr, parseUri, sameUri, unescapeUser, writeNameAddr, writeUri } from '../src/message/uri.ts'
import { writeMessage } from '../src/message/write.ts'

const folder = new URL('../../../tests/conformance/rfc4475/', import.meta.url)
const samples = ['valid', 'invalid'].flatMap((kind) =>
  readdirSync(new URL(kind, folder)).map((name) => readFileSync(new URL(`${kind}/${name}`, folder))),
)
const sample = fc.constantFrom(...samples)
const CAN = { methods: ['INVITE'], schemes: ['sip'], supported: [], contentTypes: ['application/sdp'] }

/** Everything that anybody does with a message; none of it may throw. */
function use(message: SipMessage): void {
  read.topVia(message)
  read.vias(message)
  read.from(message)
  read.to(message)
  read.fromTag(message)
  read.toTag(message)
  read.cseq(message)
  read.callId(message)
  read.contacts(message)
  read.routeSet(message)
  read.maxForwards(message)
  read.expires(message)
  read.contentType(message)
  read.tokens(message, 'Supported')
  writeMessage(message)
  if (message.kind === 'response') screenResponse(message)
  else {
    screenRequest(message, CAN)
    const answer = makeResponse(message, 404, { toTag: 't', recordRoute: true })
    writeMessage(answer)
    writeMessage(makeAck(message, answer))
    writeMessage(makeCancel(message))
    writeMessage(withReceived(message, '2001:db8::1', 5060))
  }
}

function useOutcome(outcome: ParseOutcome, size: number): void {
  if ('length' in outcome) assert(outcome.length > 0 ? outcome.length <= size : size === 0)
  if (outcome.kind === 'message') use(outcome.message)
  else if (outcome.kind === 'refuse') {
    assert.notEqual(outcome.request.method, 'ACK')
    use(outcome.request)
  } else if (outcome.kind === 'close' && outcome.refusal) use(outcome.refusal.request)
}

/** Reading what was written gives the same message, and writing it again the same bytes. */
function assertStable(outcome: ParseOutcome): void {
  if (outcome.kind !== 'message') return
  const once = writeMessage(outcome.message)
  const again = parseDatagram(once)
  assert.equal(again.kind, 'message')
  if (again.kind !== 'message') return
  assert.deepEqual(writeMessage(again.message), once)
  const others = (message: SipMessage) =>
    [...message.headers.entries()].filter(([name]) => !/^(l|content-length)$/i.test(name))
  assert.deepEqual(others(again.message).slice(0, others(outcome.message).length), others(outcome.message))
  assert.deepEqual(Buffer.from(again.message.body), Buffer.from(outcome.message.body))
}

test('any bytes are read, answered and written without a throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      for (const parse of [parseDatagram, parseStream]) useOutcome(parse(bytes), bytes.length)
    }),
    { numRuns: 500 },
  )
})

test('messages of RFC 4475 with bytes changed, cut, doubled and put in are read without a throw, and stay stable', () => {
  const change = fc.record({
    at: fc.nat({ max: 5000 }),
    remove: fc.nat({ max: 20 }),
    insert: fc.oneof(
      fc.uint8Array({ maxLength: 8 }),
      fc
        .constantFrom(
          ...['\r\n', '\n', '\r', ',', ';', '<', '>', '"', '\\', ' ', ':', '@', '%', '\0', '\r\n ', '*', '[', '='],
        )
        .map((s) => Buffer.from(s)),
    ),
  })
  fc.assert(
    fc.property(sample, fc.array(change, { minLength: 1, maxLength: 6 }), (bytes, changes) => {
      let mutated = bytes
      for (const { at, remove, insert } of changes) {
        const place = at % (mutated.length + 1)
        mutated = Buffer.concat([mutated.subarray(0, place), insert, mutated.subarray(place + remove)])
      }
      for (const parse of [parseDatagram, parseStream]) {
        const outcome = parse(mutated)
        assertStable(outcome)
        useOutcome(outcome, mutated.length)
      }
    }),
    { numRuns: 3000 },
  )
})

test('a fold that holds nothing never becomes the end of the head', () => {
  const lines = [
    'OPTIONS sip:a@example.com SIP/2.0',
    'From: sip:caller@example.net;tag=1\r\n \r\n\t ',
    'Subject: \r\n ',
    'To: sip:user@example.com',
    'Call-ID: fold',
    'CSeq: 1 OPTIONS',
    'Via: SIP/2.0/UDP host.example.com;branch=z9hG4bKfold',
    'Content-Length: 0',
  ]
  const outcome = parseDatagram(Buffer.from(`${lines.join('\r\n')}\r\n\r\n`))
  assert.equal(outcome.kind, 'message')
  assertStable(outcome)
})

test('a stream cut anywhere gives the same messages as the whole', () => {
  const whole = Buffer.concat(
    samples.filter((bytes) => {
      const outcome = parseStream(bytes)
      return outcome.kind === 'message' && outcome.length === bytes.length
    }),
  )
  const starts = (pieces: readonly Buffer[]): string[] => {
    const found: string[] = []
    let pending: Buffer = Buffer.alloc(0)
    for (const piece of pieces) {
      pending = Buffer.concat([pending, piece])
      for (;;) {
        const outcome = parseStream(pending)
        if (outcome.kind === 'more') break
        assert(outcome.kind === 'message')
        found.push(read.callId(outcome.message))
        pending = pending.subarray(outcome.length)
      }
    }
    assert.equal(pending.length, 0)
    return found
  }
  const expected = starts([whole])
  assert(expected.length > 15)
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat({ max: whole.length }), { maxLength: 20 }), (cuts) => {
      const places = [0, ...cuts.sort((a, b) => a - b), whole.length]
      assert.deepEqual(starts(places.slice(1).map((end, i) => whole.subarray(places[i], end))), expected)
    }),
    { numRuns: 50 },
  )
})

const HEAD =
  'OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n'

test('unknown header fields are written back byte for byte, whatever their bytes', () => {
  const value = fc
    .uint8Array({ maxLength: 40 })
    .filter((bytes) => !bytes.some((byte) => byte === 10 || byte === 13))
    .map((bytes) => Buffer.concat([Buffer.from('<'), bytes, Buffer.from('>')]))
  fc.assert(
    fc.property(fc.array(value, { maxLength: 5 }), (values) => {
      const fields = values.map((bytes, i) => Buffer.concat([Buffer.from(`X-Odd-${i}: `), bytes, Buffer.from('\r\n')]))
      const message = Buffer.concat([Buffer.from(HEAD), ...fields, Buffer.from('Content-Length: 0\r\n\r\n')])
      const outcome = parseDatagram(message)
      assert(outcome.kind === 'message')
      assert.deepEqual(writeMessage(outcome.message), message)
    }),
  )
})

test('a list of header fields behaves like the plain list of pairs that it stands for', () => {
  const name = fc.constantFrom('Via', 'v', 'VIA', 'X-A', 'x-a', 'X-B', 'Route', 'm', 'Contact')
  const long = (text: string): string => ({ v: 'via', m: 'contact' })[text] ?? text.toLowerCase()
  const step = fc.record({
    op: fc.constantFrom('set', 'append', 'prepend', 'remove'),
    name,
    value: fc.constantFrom('1', '2', '3'),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const list = headerList()
      let pairs: [string, string][] = []
      for (const { op, name, value } of steps) {
        const at = pairs.findIndex(([known]) => long(known) === long(name))
        const others = pairs.filter(([known], i) => long(known) !== long(name) || i === at)
        if (op === 'append') list.append(name, value)
        else if (op === 'prepend') list.prepend(name, value)
        else if (op === 'remove') list.remove(name)
        else list.set(name, value)
        if (op === 'append' || (op === 'set' && at < 0)) pairs.push([name, value])
        else if (op === 'prepend') pairs.splice(Math.max(at, 0), 0, [name, value])
        else if (op === 'remove') pairs = pairs.filter(([known]) => long(known) !== long(name))
        else pairs = others.map((pair, i) => (i === at ? [name, value] : pair))
      }
      assert.deepEqual([...list.entries()], pairs)
      assert.deepEqual([...list.clone().entries()], pairs)
      for (const [asked] of pairs) {
        const values = pairs.filter(([known]) => long(known) === long(asked)).map(([, value]) => value)
        assert.deepEqual(list.getAll(asked), values)
        assert.equal(list.get(asked.toUpperCase()), values[0])
      }
    }),
  )
})

const word = fc.stringMatching(/^[A-Za-z0-9_.!~*'()-]{1,12}$/)
const anyUri = fc.record({
  scheme: fc.constantFrom('sip', 'sips'),
  user: fc.option(fc.stringMatching(/^([A-Za-z0-9&=+$,;?/_.!~*'()-]|%[0-9A-F]{2}){1,16}$/), { nil: undefined }),
  password: fc.option(word, { nil: undefined }),
  host: fc.constantFrom('acme.example', '192.0.2.1', '[2001:db8::1]', '[::ffff:192.0.2.1]', 'h'),
  port: fc.option(fc.integer({ min: 0, max: 65_535 }), { nil: undefined }),
  params: fc.uniqueArray(
    fc.tuple(
      word.map((text) => text.toLowerCase()),
      fc.oneof(fc.constant(''), word),
    ),
    {
      maxLength: 4,
      selector: ([name]) => name,
    },
  ),
  headers: fc.option(fc.constantFrom('a=b', 'Subject=x%20y&b='), { nil: undefined }),
})

test('a URI that is written reads as it was', () => {
  fc.assert(
    fc.property(anyUri, (parts) => {
      const uri = {
        ...parts,
        password: parts.user === undefined ? undefined : parts.password,
        params: new Map(parts.params),
        opaque: undefined,
      }
      const text = writeUri(uri)
      const found = parseUri(text)
      assert.deepEqual(found, uri)
      assert(found && sameUri(found, uri))
      assert.equal(writeUri(found), text)
    }),
    { numRuns: 500 },
  )
})

test('a name-addr that is written reads as it was, whatever the display name', () => {
  const name = fc.string({ unit: 'grapheme', minLength: 1 }).filter((text) => !/[\r\n]/.test(text))
  const params = fc.uniqueArray(
    fc.tuple(
      word.filter((text) => !/[()]/.test(text)).map((t) => t.toLowerCase()),
      fc.string({ minLength: 1 }),
    ),
    {
      maxLength: 3,
      selector: ([key]) => key,
    },
  )
  fc.assert(
    fc.property(fc.option(name, { nil: undefined }), anyUri, params, (displayName, parts, pairs) => {
      const uri = { ...parts, password: undefined, params: new Map(parts.params), opaque: undefined }
      const text = writeNameAddr({ displayName, uri, params: new Map(pairs) })
      const found = parseNameAddr(text)
      assert(found)
      assert.equal(found.displayName, displayName)
      assert.deepEqual(found.uri, uri)
      assert.deepEqual([...found.params], pairs)
      assert.equal(writeNameAddr(found), text)
    }),
    { numRuns: 500 },
  )
})

test('any text is a URI or none, and comparing and unescaping never throws', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (a, b) => {
      const x = parseUri(`sip:${a}`) ?? parseUri(a)
      const y = parseUri(`sip:${b}`)
      parseNameAddr(a)
      unescapeUser(a)
      if (x) assert(sameUri(x, x))
      if (x && y) assert.equal(sameUri(x, y), sameUri(y, x))
    }),
    { numRuns: 1000 },
  )
})

test('flattened text is the same text', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => assert.equal(flatten(text), text)))
  assert.equal(flatten('\udc80'.repeat(20)), '\udc80'.repeat(20))
})

test('hostile shapes take time in proportion to their size', () => {
  const evil = [
    `"${'\\'.repeat(8000)}`,
    ' '.repeat(8000),
    `${'a '.repeat(4000)}<`,
    `<sip:a@b>${';a'.repeat(4000)}`,
    `<sip:a@b>${',<sip:a@b>'.repeat(800)},`,
    `sip:${'%'.repeat(8000)}`,
    `sip:${';'.repeat(4000)}@b`,
    `<sip:b${';a='.repeat(2700)}>`,
  ]
  const start = process.hrtime.bigint()
  for (const value of evil) {
    for (const name of ['From', 'Contact', 'Route', 'Via', 'Date', 'CSeq', 'X']) {
      for (let i = 0; i < 20; i++) {
        useOutcome(parseDatagram(Buffer.from(`${HEAD}${name}: ${value}\r\n\r\n`)), 65_535)
        useOutcome(parseDatagram(Buffer.from(`${HEAD}${name}: ${value.replaceAll(' ', '\r\n ')}\r\n\r\n`)), 65_535)
      }
    }
  }
  // 2240 messages of 8 kB: 1 ms each would be far too much already.
  assert(process.hrtime.bigint() - start < 10_000_000_000n)
})
