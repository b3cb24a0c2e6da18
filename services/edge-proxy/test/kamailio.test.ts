/** Registration with a registrar that we did not write: Kamailio (edge.md E3). */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { steadyPort } from '@tandem/testing/ports.ts'
import type { Calls, Peer } from '../src/edge.ts'
import { eventually } from './carrier-side.ts'
import { rawPeer, requestOf } from './raw-peer.ts'
import { noCalls, PASSWORDS, startEdgeForTest, type TestEdge, testConfiguration } from './start-edge.ts'

const program = ['/usr/sbin/kamailio', '/usr/bin/kamailio', '/usr/local/sbin/kamailio'].find((f) => existsSync(f))
const skip = program === undefined ? 'kamailio is not installed (Debian: kamailio)' : false

let folder: string
let kamailio: ChildProcess | undefined
let port: number
let edge: TestEdge
const calls: { peer: Peer; uri: string }[] = []
const log: string[] = []

before(async () => {
  if (!program) return
  folder = await mkdtemp(join(tmpdir(), 'tandem-kamailio-'))
  port = await steadyPort()
  const cfg = join(import.meta.dirname, 'kamailio', 'itsp.cfg')
  const listen = ['-l', `udp:127.0.0.1:${port}`, '-n', '1', '-m', '32', '-M', '4', '-Y', folder]
  kamailio = spawn(program, ['-f', cfg, '-DD', '-E', ...listen, '-A', `SECRET="${PASSWORDS.ITSP_PASSWORD}"`], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  kamailio.stderr?.on('data', (d: Buffer) => {
    if (log.length < 200) log.push(d.toString())
  })
  const register = { registrar: `sip:127.0.0.1:${port}`, password: { env: 'ITSP_PASSWORD' } }
  const trunk = { to: [`sip:127.0.0.1:${port}`], listener: 'carrier', options: { interval: '300ms' } }
  edge = await startEdgeForTest({
    createCalls: (): Calls => ({
      ...noCalls(),
      onInvite(transaction, _wire, peer) {
        calls.push({ peer, uri: transaction.request.uri })
        transaction.reply(486)
      },
    }),
    document: testConfiguration({
      trunks: {
        bulk: { ...trunk, register: { ...register, user: 'acme', bulk: true }, numbers: ['+1425555'] },
        plain: { ...trunk, register: { ...register, user: 'branch' } },
      },
    }),
  })
})
after(async () => {
  if (!kamailio) return
  await edge.close()
  const gone = new Promise((done) => kamailio?.once('exit', done))
  kamailio.kill('SIGTERM')
  await gone
  await rm(folder, { recursive: true, force: true })
})

const registered = (trunk: string) => edge.core.edge.trunks.health(trunk) === 'up' && edge.core.registeredTrunk(trunk)

/** A call from the telephone network to a number that the carrier knows to be of this account. */
async function call(number: string, account: string): Promise<number> {
  const network = await rawPeer('UDP', { port })
  const request = requestOf(network, 'INVITE', {
    uri: `sip:${number}@127.0.0.1:${port}`,
    user: '+12065550100',
    to: `<sip:${number}@127.0.0.1>`,
    headers: [['X-Account', account]],
  })
  const { status } = await network.ask(request)
  network.close()
  return status
}

test('Kamailio takes the bulk and the plain registration with digest, and brings calls to the DID and the account', {
  skip,
}, async () => {
  await eventually('both registered', () => registered('bulk') && registered('plain')).catch((error) => {
    throw new Error(`${String(error)}\n${log.join('')}`)
  })
  assert.equal(await call('+14255551001', 'acme'), 486, log.join(''))
  assert.deepEqual(calls.at(-1), {
    peer: { kind: 'trunk', trunk: 'bulk' },
    uri: `sip:+14255551001@127.0.0.1:${edge.port('carrier')}`,
  })
  assert.equal(await call('+12125550100', 'branch'), 486)
  assert.deepEqual(calls.at(-1), {
    peer: { kind: 'trunk', trunk: 'plain' },
    uri: `sip:branch@127.0.0.1:${edge.port('carrier')}`,
  })
})

test('the four seconds that Kamailio grants are renewed again and again', { skip }, async () => {
  const until = performance.now() + 6_000
  while (performance.now() < until) {
    assert.ok(registered('bulk'))
    await new Promise((done) => setTimeout(done, 250))
  }
  assert.equal(await call('+14255551001', 'acme'), 486)
})
