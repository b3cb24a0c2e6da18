/**
 * RFC 4475, each of its 49 messages by its id, sent to a running edge over UDP and over TCP: what is valid is served,
 * what is not is refused as the RFC says, and the edge lives on. Why a choice of the RFC was taken as it was stands in
 * rfc4475.test.ts.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { type RunningEdge, startRunningEdge, type Transport } from '../running-edge.ts'

/** `call`: an INVITE that becomes a call with the carrier. `nothing`: no answer. */
type Expected = number | 'call' | 'nothing'
interface Case {
  readonly section: string
  readonly id: string
  readonly udp: Expected
  /** Default: as over UDP. */
  readonly tcp?: Expected | 'waits'
  /** Who proves himself when he is asked to. */
  readonly as?: string
  /** What the response says besides. */
  readonly says?: RegExp
}

const VALID: readonly Case[] = [
  // its To has a tag: an INVITE inside a dialog that is none of ours (RFC 3261 12.2.2)
  { section: '3.1.1.1', id: 'wsinv', udp: 481 },
  { section: '3.1.1.2', id: 'intmeth', udp: 501, says: /^Allow: /m },
  { section: '3.1.1.3', id: 'esc01', udp: 'call' },
  // nobody may register the name null-\0-null; it is not taken for null
  { section: '3.1.1.4', id: 'escnull', udp: 403, as: 'user' },
  { section: '3.1.1.5', id: 'esc02', udp: 501, says: /^Allow: /m },
  { section: '3.1.1.6', id: 'lwsdisp', udp: 200 },
  { section: '3.1.1.7', id: 'longreq', udp: 'call' },
  // over TCP what follows is the next request, whose body never comes
  { section: '3.1.1.8', id: 'dblreq', udp: 200, tcp: 401, as: 'j.user', says: /^CSeq: \d+ REGISTER/m },
  { section: '3.1.1.9', id: 'semiuri', udp: 200 },
  { section: '3.1.1.10', id: 'transports', udp: 200 },
  // understood whole; nobody here is called kumiko
  { section: '3.1.1.11', id: 'mpart01', udp: 404, as: 'user' },
  { section: '3.1.1.12', id: 'unreason', udp: 'nothing' },
  { section: '3.1.1.13', id: 'noreason', udp: 'nothing' },
]

const INVALID: readonly Case[] = [
  { section: '3.1.2.1', id: 'badinv01', udp: 400 },
  { section: '3.1.2.2', id: 'clerr', udp: 400, tcp: 'waits' },
  { section: '3.1.2.3', id: 'ncl', udp: 400 },
  { section: '3.1.2.4', id: 'scalar02', udp: 400 },
  { section: '3.1.2.5', id: 'scalarlg', udp: 'nothing' },
  { section: '3.1.2.6', id: 'quotbal', udp: 400 },
  { section: '3.1.2.7', id: 'ltgtruri', udp: 400 },
  { section: '3.1.2.8', id: 'lwsruri', udp: 400 },
  { section: '3.1.2.9', id: 'lwsstart', udp: 400 },
  { section: '3.1.2.10', id: 'trws', udp: 400 },
  { section: '3.1.2.11', id: 'escruri', udp: 400 },
  { section: '3.1.2.12', id: 'baddate', udp: 400 },
  { section: '3.1.2.13', id: 'regbadct', udp: 400 },
  { section: '3.1.2.14', id: 'badaspec', udp: 400 },
  { section: '3.1.2.15', id: 'baddn', udp: 400 },
  { section: '3.1.2.16', id: 'badvers', udp: 505 },
  { section: '3.1.2.17', id: 'mismatch01', udp: 400 },
  { section: '3.1.2.18', id: 'mismatch02', udp: 501 },
  { section: '3.1.2.19', id: 'bigcode', udp: 'nothing' },
  { section: '3.2.1', id: 'badbranch', udp: 400 },
  { section: '3.3.1', id: 'insuf', udp: 400 },
  { section: '3.3.2', id: 'unkscm', udp: 416 },
  { section: '3.3.3', id: 'novelsc', udp: 416 },
  { section: '3.3.4', id: 'unksm2', udp: 400 },
  {
    section: '3.3.5',
    id: 'bext01',
    udp: 420,
    says: /^Unsupported: nothingSupportsThis, nothingSupportsThisEither\r$/m,
  },
  { section: '3.3.6', id: 'invut', udp: 415, says: /^Accept: application\/sdp/m },
  { section: '3.3.7', id: 'regaut01', udp: 401, says: /^WWW-Authenticate: Digest /m },
  { section: '3.3.8', id: 'multi01', udp: 400 },
  { section: '3.3.9', id: 'mcl01', udp: 400 },
  { section: '3.3.10', id: 'bcast', udp: 'nothing' },
  // RFC 3261 11: an OPTIONS that got here with its last hop is answered here
  { section: '3.3.11', id: 'zeromf', udp: 200 },
  { section: '3.3.12', id: 'cparam01', udp: 200, as: 'watson' },
  { section: '3.3.13', id: 'cparam02', udp: 200, as: 'watson' },
  { section: '3.3.14', id: 'regescrt', udp: 200, as: 'user' },
  { section: '3.3.15', id: 'sdp01', udp: 406, says: /^Warning: 399 /m },
  // RFC 3261 18.3: over a stream nothing says how long its body is
  { section: '3.4.1', id: 'inv2543', udp: 'call', tcp: 400 },
]

/** What is bound after a REGISTER, as the RFC wants it read. */
const BOUND: Readonly<Record<string, RegExp>> = {
  cparam01: /^sip:\+19725552222@gw1\.example\.net$/,
  cparam02: /^sip:\+19725552222@gw1\.example\.net;unknownparam$/,
  regescrt: /^sip:user@example\.com\?Route=%3Csip:sip\.example\.com%3E$/,
}

function octets(folder: string, id: string): Buffer {
  const file = readFileSync(new URL(`${folder}/${id}.dat`, import.meta.url))
  // the file lacks the empty line that the RFC has
  return id === 'baddn' ? Buffer.concat([file, Buffer.from('\r\n')]) : file
}

const edges = new Map<Transport, RunningEdge>()
before(async () => {
  for (const transport of ['UDP', 'TCP'] as const)
    edges.set(transport, await startRunningEdge(transport, '127.0.0.1', ['user', 'watson', 'j.user']))
})
after(async () => {
  for (const edge of edges.values()) await edge.close()
})

for (const transport of ['UDP', 'TCP'] as const) {
  for (const [folder, cases] of [
    ['valid', VALID],
    ['invalid', INVALID],
  ] as const) {
    for (const one of cases) {
      const expected = transport === 'UDP' ? one.udp : (one.tcp ?? one.udp)
      const what =
        expected === 'call' ? 'becomes a call' : expected === 'nothing' ? 'gets no answer' : `gets ${expected}`
      test(`RFC 4475 ${one.section} ${one.id} over ${transport} ${what}, and the edge lives on`, async () => {
        const edge = edges.get(transport) as RunningEdge
        if (expected === 'waits') await assertWaits(edge, octets(folder, one.id))
        else
          await assertAnswered(
            edge,
            octets(folder, one.id),
            expected,
            transport === 'UDP' || one.tcp === undefined ? one : { ...one, as: undefined },
          )
        assert.ok(await edge.alive())
      })
    }
  }
}

async function assertAnswered(
  edge: RunningEdge,
  message: Buffer,
  expected: Expected,
  one: Omit<Case, 'as'> & { as?: string | undefined },
): Promise<void> {
  const calls = edge.house.itspA.received.length
  const heard = await edge.tell(message, one.as)
  if (expected === 'nothing') assert.equal(heard, 'nothing')
  else {
    assert.ok(heard !== 'nothing', 'it was dropped')
    assert.equal(heard.status, expected === 'call' ? 200 : expected)
    if (one.says) assert.match(heard.text, one.says)
  }
  assert.equal(edge.house.itspA.received.length, expected === 'call' ? calls + 1 : calls)
  const bound = BOUND[one.id]
  if (bound) {
    const uris = edge.house.edge.core.registrations.of(one.as ?? '').map((b) => b.contact.uriText)
    assert.ok(
      uris.some((uri) => bound.test(uri)),
      uris.join(' '),
    )
  }
}

async function assertWaits(edge: RunningEdge, message: Buffer): Promise<void> {
  const socket = await edge.begin(message)
  assert.ok(await edge.alive())
  assert.equal(socket.text(), '')
  socket.close()
}
