/** edge.md E8: mutated messages over UDP and TCP; no crash, no leak, and the calls that stand meanwhile stand on. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { plan, reject, startCallEdge, toTrunk, toUser } from '@tandem/edge-proxy/test/call-edge.ts'
import { steadyPort } from '@tandem/testing/ports.ts'

const MESSAGES = Number(process.env.TANDEM_FUZZ_MESSAGES ?? 1_000_000)
// the same messages in each run of all tests: what others find is looked for with others
const SEED = Number(process.env.TANDEM_FUZZ_SEED ?? 20_261_127)
/** What the edge keeps for good after its first contact with such traffic (code, tables of sources) is no leak. */
const WARM_UP = 20_000
const trunkAddress = '127.0.0.77'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

test('mutated messages by UDP and TCP crash nothing, leak nothing and harm no call', async (t) => {
  const [udpPort, tcpPort] = [await steadyPort(), await steadyPort()]
  const house = await startCallEdge({
    listeners: {
      fuzzed: { url: `udp://127.0.0.1:${udpPort}` },
      'fuzzed-tcp': { url: `tcp://127.0.0.1:${tcpPort}` },
    },
    trunks: { fuzzer: { to: ['sip:127.0.0.77:9'], from: [trunkAddress], listener: 'fuzzed', emergency: false } },
    // timers of transactions that nobody ends run out soon
    times: { t1: 50, t2: 400, t4: 500 },
  })
  t.after(() => house.close())

  house.route(({ dialled }) =>
    dialled === '912065550100'
      ? plan([toTrunk('itsp-a', '12065550100')])
      : plan([toUser('bob')], { dialled, callee: { user: 'bob', number: '+14255551002' } }),
  )
  const out = await house.alice.call('912065550100')
  await out.answered
  const far = await house.itspA.nextInvite((i) => i.call !== undefined)
  const inward = house.itspB.call({ from: '+12065550177', to: '+14255551002' })
  await (await house.bob.nextCall()).answer()
  const carol = await inward
  await carol.answered
  const heard = async (): Promise<void> => {
    await out.audio.hears(house.itspA.tone)
    await far.call?.audio.hears(house.alice.tone)
    await carol.audio.hears(house.bob.tone)
  }
  await heard()
  house.route(({ dialled }) => reject(404, `nobody has ${dialled.slice(0, 20)}`))

  const fuzz = async (messages: number, seed: number) => {
    const orders = JSON.stringify({ seed, messages, from: trunkAddress, udpPort, tcpPort })
    const sender = fileURLToPath(new URL('fuzz/sender.ts', import.meta.url))
    const { stdout } = await promisify(execFile)(process.execPath, [sender, orders], { maxBuffer: 1 << 20 })
    return JSON.parse(stdout) as { udp: number; tcp: number; seconds: number }
  }
  const heap = async (): Promise<number> => {
    const { transactions } = house
    for (let i = 0; transactions.serverCount + transactions.clientCount > 0 && i < 600; i++) {
      await new Promise((done) => setTimeout(done, 100))
    }
    assert.equal(transactions.serverCount + transactions.clientCount, 0, 'every transaction ends')
    for (let i = 0; i < 4; i++) {
      collect()
      await new Promise((done) => setTimeout(done, 50))
    }
    return process.memoryUsage().heapUsed
  }

  await fuzz(WARM_UP, SEED + 1)
  const before = await heap()
  const sent = await fuzz(MESSAGES, SEED)
  const after = await heap()
  t.diagnostic(
    `${sent.udp} by UDP, ${sent.tcp} by TCP in ${sent.seconds.toFixed(0)} s (seed ${SEED}); heap ${mb(before)} before, ${mb(after)} after`,
  )
  assert.ok(sent.udp + sent.tcp >= MESSAGES)
  assert.ok(after < before * 1.1, `heap ${mb(before)} before, ${mb(after)} after (seed ${SEED})`)

  assert.equal(house.calls.status().calls, 2)
  await heard()
  await out.hangUp()
  assert.equal((await far.call?.ended)?.why, 'hung-up')
  await carol.hangUp()
  const ours = house.records.filter((r) => r.sipStatus === 200)
  for (let i = 0; ours.length < 4 && i < 150; i++) {
    await new Promise((done) => setTimeout(done, 100))
    ours.splice(0, ours.length, ...house.records.filter((r) => r.sipStatus === 200))
  }
  assert.deepEqual(ours.map((r) => r.endedBy).sort(), ['caller', 'caller', 'caller', 'caller'])
})

function mb(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`
}
