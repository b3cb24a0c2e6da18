/** edge.md E8: places are lent by compare-and-set; whatever happens, the calls of all edges stay within the limit. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseSdp } from '@tandem/sdp/parse.ts'
import fc from 'fast-check'
import { claim, type LeaseRecord, type Limits, NOTHING, rateLimit, sameRecord, wanted } from '../src/domain/lease.ts'
import { createLedger, type Held, type Ledger } from '../src/domain/ledger.ts'
import { agreedKbps, peakKbps, wireKbps } from '../src/domain/wire-rate.ts'

const resource = 'trunk.itsp-a'

/** An edge without its bus: the moves that its keeper makes, one by one, so that they interleave. */
interface Node {
  readonly name: string
  readonly ledger: Ledger
  readonly calls: Held[]
  /** Read, decided, not written yet. */
  planned: { next: LeaseRecord; revision: number } | undefined
}

const steps = fc.array(
  fc.record({
    what: fc.constantFrom('call', 'call', 'call', 'end', 'plan', 'plan', 'write', 'write', 'die'),
    of: fc.nat(2),
  }),
  { minLength: 20, maxLength: 300 },
)

test('edges that call, end, claim late and die in any order never carry more calls than the limit, and lose no place', () => {
  let most = 0
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 12 }), (moves, limit) => {
      const limits: Limits = { calls: limit, rate: null, kbps: limit * 80, windowMs: 1000 }
      let record: LeaseRecord = {}
      let revision = 0
      let born = 0
      const dead = new Set<string>()
      const begin = (): Node => {
        const ledger = createLedger()
        ledger.limit(new Map([[resource, limits]]))
        return { name: `edge-${born++}`, ledger, calls: [], planned: undefined }
      }
      const nodes = [begin(), begin(), begin()]
      const plan = (node: Node, need = 0) => {
        const inUse = node.ledger.inUse(resource, 0)
        const needed = { calls: inUse.calls + need, rate: 0, kbps: inUse.kbps + need * 80 }
        const want = wanted(record, node.name, { inUse, need: needed }, limits, nodes.length)
        const next = claim(record, node.name, { inUse, need: needed, want }, limits, (owner) => dead.has(owner))
        const [held, mine] = [node.ledger.held(resource), next[node.name] ?? NOTHING]
        node.ledger.hold(resource, {
          calls: Math.min(held.calls, mine.calls),
          rate: 0,
          kbps: Math.min(held.kbps, mine.kbps),
        })
        node.planned = { next, revision }
      }
      const write = (node: Node) => {
        const { planned } = node
        node.planned = undefined
        if (planned === undefined || planned.revision !== revision) return
        if (!sameRecord(planned.next, record)) revision++
        record = planned.next
        node.ledger.hold(resource, record[node.name] ?? NOTHING)
      }
      for (const { what, of } of moves) {
        const node = nodes[of] as Node
        if (what === 'call') {
          const verdict = node.ledger.admit([{ resource, calls: 1, kbps: 80 }], 0)
          if (verdict.kind === 'admitted') node.calls.push(verdict.held)
          else plan(node, 1)
        } else if (what === 'end') node.calls.shift()?.release()
        else if (what === 'plan') plan(node)
        else if (what === 'write') write(node)
        else {
          // kill -9: its calls are gone, its places are not until it is missed
          dead.add(node.name)
          nodes[of] = begin()
        }
        const up = nodes.reduce((sum, { calls }) => sum + calls.length, 0)
        const lent = Object.values(record).reduce((sum, holder) => sum + holder.calls, 0)
        most = Math.max(most, up / limit)
        assert.ok(up <= limit, `${up} calls of ${limit}`)
        assert.ok(lent <= limit, `${lent} places of ${limit} lent`)
        for (const { name, ledger, calls } of nodes) {
          assert.equal(ledger.inUse(resource, 0).calls, calls.length)
          assert.ok(calls.length <= (record[name]?.calls ?? 0), 'a call without a place')
        }
      }
      // everybody hangs up and dies but one: it can have every place there is
      const last = nodes[0] as Node
      for (const node of nodes) for (const call of node.calls.splice(0)) call.release()
      for (const node of nodes.slice(1)) dead.add(node.name)
      plan(last, limit)
      write(last)
      for (let i = 0; i < limit; i++)
        assert.equal(
          last.ledger.admit([{ resource, calls: 1, kbps: 80 }], 0).kind,
          'admitted',
          `place ${i + 1} of ${limit}`,
        )
    }),
    { numRuns: 500, interruptAfterTimeLimit: 20_000 },
  )
  assert.equal(most, 1, 'the limit was never reached: the moves try nothing')
})

test('new calls a second are counted in a window, and a place in it is free again when the second is over', () => {
  assert.deepEqual(rateLimit(20), { rate: 20, windowMs: 1000 })
  assert.deepEqual(rateLimit(0.5), { rate: 1, windowMs: 2000 })
  const ledger = createLedger()
  ledger.limit(new Map([[resource, { calls: null, kbps: null, ...rateLimit(2) }]]))
  ledger.hold(resource, 'all')
  const call = (at: number) => ledger.admit([{ resource, calls: 1, kbps: 80 }], at).kind
  assert.deepEqual(
    [call(0), call(10), call(20), call(999), call(1001), call(1005), call(1011)],
    [...['admitted', 'admitted', 'short', 'short', 'admitted', 'short', 'admitted']],
  )
})

const sdp = (more: string, protocol = 'RTP/AVP 18 0 101', c = 'IN IP4 192.0.2.1') => {
  const text = `v=0\r\no=- 1 1 ${c}\r\ns=-\r\nc=${c}\r\nt=0 0\r\nm=audio 4000 ${protocol}\r\na=rtpmap:101 telephone-event/8000\r\n${more}`
  const parsed = parseSdp(text)
  assert.ok(parsed.kind === 'sdp', JSON.stringify(parsed))
  return parsed.sdp
}
test('a call takes of a link what its codec takes with the headers around it', () => {
  assert.equal(wireKbps(64, 20), 80)
  assert.equal(wireKbps(64, 20, { ipv6: true }), 88)
  assert.equal(wireKbps(64, 20, { srtp: true }), 84)
  assert.equal(wireKbps(8, 20), 24)
  assert.equal(peakKbps(sdp('')), 80, 'the most that the offer could become')
  assert.equal(agreedKbps(sdp('')), 24, 'G.729 as the first of the answer')
  assert.equal(agreedKbps(sdp('a=ptime:40\r\n', 'RTP/AVP 0')), 72)
  assert.equal(agreedKbps(sdp('', 'RTP/SAVP 8', 'IN IP6 2001:db8::1')), 92)
  assert.equal(peakKbps(undefined), 80, 'G.711 when nobody has said')
})
