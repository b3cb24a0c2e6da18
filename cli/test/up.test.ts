import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { eraseEmbedded } from '@tandem/store/embedded.ts'
import { steadyPort, whyPortTaken } from '@tandem/testing/ports.ts'
import type { RunState } from '../src/up/data-folder.ts'
import { isSame } from '../src/up/process-identity.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const tandem = join(root, 'cli', 'bin', 'tandem.mjs')
const READY_MS = 90_000

interface Line {
  kind: string
  text: string
}

/** `tandem …` to its end. */
async function run(env: NodeJS.ProcessEnv, ...args: string[]) {
  const child = spawn(process.execPath, [tandem, ...args], { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const said = { stdout: '', stderr: '' }
  child.stdout.on('data', (d) => {
    said.stdout += d
  })
  child.stderr.on('data', (d) => {
    said.stderr += d
  })
  const [status] = (await once(child, 'close')) as [number | null]
  return { status, ...said }
}

describe('tandem up', { timeout: 300_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'tandem-up-'))
  const data = join(folder, 'data')
  const config = join(folder, 'tandem.yaml')
  let env: NodeJS.ProcessEnv
  let sip: number
  const children: ChildProcess[] = []

  const state = () => JSON.parse(readFileSync(join(data, 'run', 'state.json'), 'utf8')) as RunState
  const part = (name: string) => {
    const found = state().parts.find((p) => p.name === name)
    assert.ok(found, name)
    return found
  }

  /** Starts it and resolves with a function that waits for a line. */
  function up(...more: string[]) {
    const child = spawn(process.execPath, [tandem, 'up', '--config', config, '--json', ...more], {
      cwd: root,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    children.push(child)
    const lines: Line[] = []
    let errors = ''
    createInterface({ input: child.stdout }).on('line', (line) => lines.push(JSON.parse(line)))
    child.stderr.on('data', (d) => {
      errors += d
    })
    const line = async (kind: string, pattern: RegExp = /./): Promise<Line> => {
      const until = performance.now() + READY_MS
      for (;;) {
        const found = lines.find((l) => l.kind === kind && pattern.test(l.text))
        if (found) return found
        if (child.exitCode !== null || performance.now() > until) {
          throw new Error(`no line ${kind} ${pattern}: ${JSON.stringify(lines)} ${errors}`)
        }
        await new Promise((done) => setTimeout(done, 30))
      }
    }
    return { child, line }
  }

  before(async () => {
    const ports = await Promise.all(Array.from({ length: 6 }, () => steadyPort()))
    const [inside, remote, carrier, a, b, api] = ports as [number, number, number, number, number, number]
    sip = inside
    const text = readFileSync(join(root, 'examples', 'acme', 'tandem.yaml'), 'utf8')
      .replaceAll(':5060"', `:${inside}"`)
      .replaceAll(':5061"', `:${remote}"`)
      .replaceAll(':5070"', `:${carrier}"`)
      .replaceAll(':5080"', `:${a}"`)
      .replaceAll(':5090"', `:${b}"`)
      .replace('20000-20999', '10000-10199')
    writeFileSync(config, text)
    cpSync(join(root, 'examples', 'acme', 'rates'), join(folder, 'rates'), { recursive: true })
    const { NATS_URL: _n, DATABASE_URL: _d, ...rest } = process.env
    env = {
      ...rest,
      TANDEM_DATA: data,
      TANDEM_API: `127.0.0.1:${api}`,
      BOB_PASSWORD: 'given by the environment',
      NO_COLOR: '1',
    }
  })

  after(async () => {
    for (const child of children) if (child.exitCode === null) child.kill('SIGKILL')
    await run(env, 'down')
    await eraseEmbedded({ dataFolder: data })
    rmSync(folder, { recursive: true, force: true })
  })

  test('starts every part as a process of its own and says ready', async () => {
    const { line } = up()
    assert.match((await line('ready')).text, new RegExp(`SIP on udp://127.0.0.1:${sip}`))
    const { status, stdout } = await run(env, 'status', '--json')
    const shown = JSON.parse(stdout) as RunState & { ready: boolean }
    assert.equal(status, 0)
    assert.equal(shown.ready, true)
    assert.deepEqual(shown.parts.map((p) => p.name).sort(), [
      'billing',
      'console',
      'edge-proxy',
      'location',
      'nats',
      'postgres',
      'presence',
      'routing',
    ])
    assert.equal(new Set(shown.parts.map((p) => p.pid)).size, 8)
    assert.equal(await whyPortTaken('udp', '127.0.0.1', sip), 'EADDRINUSE')
  })

  test('keeps secrets that it made readable by their owner only, and makes none that the environment gives', () => {
    const secrets = join(data, 'secrets')
    for (const name of ['ALICE_PASSWORD', 'ITSP_B_PASSWORD', 'api-token', 'certs/edge.key']) {
      assert.equal(statSync(join(secrets, name)).mode & 0o777, 0o600, name)
    }
    assert.ok(!readdirSync(secrets).includes('BOB_PASSWORD'))
  })

  test('its API takes commands with the token of the data folder, and refuses without', async () => {
    const explained = await run(env, 'explain', '--from', 'bob', '--to', '911', '--json')
    assert.equal(JSON.parse(explained.stdout).decision.emergency, true)
    const refused = await run({ ...env, TANDEM_TOKEN: 'wrong-token-wrong-token' }, 'trunks')
    assert.equal(refused.status, 1)
    assert.match(refused.stderr, /token/i)
  })

  test('a second one on the same data is told who runs', async () => {
    const { status, stderr } = await run(env, 'up', '--config', config)
    assert.equal(status, 1)
    assert.match(stderr, new RegExp(`runs already on .* \\(process ${state().supervisor.pid}\\)`))
  })

  test('one with other data is told which ports are in use, by whom and where they are configured', async () => {
    const { status, stderr } = await run(env, 'up', '--config', config, '--data', join(folder, 'other'))
    assert.equal(status, 1)
    assert.match(stderr, new RegExp(`127.0.0.1:${sip} \\(udp\\) is in use.*edge.listen.inside at .*tandem.yaml:9`))
    assert.deepEqual(readdirSync(join(folder, 'other', 'run')), [])
  })

  test('a service that is killed comes back, and it is counted', async () => {
    const { pid } = part('billing')
    process.kill(pid, 'SIGKILL')
    for (;;) {
      const now = part('billing')
      if (now.restarts === 1 && now.state === 'ready' && now.pid !== pid) break
      await new Promise((done) => setTimeout(done, 50))
    }
  })

  test('killed itself, it leaves no service behind, and the next one takes over', async () => {
    const { supervisor, parts } = state()
    process.kill(supervisor.pid, 'SIGKILL')
    const services = parts.filter((p) => p.health !== null)
    while (services.some((p) => isSame(p))) await new Promise((done) => setTimeout(done, 50))
    assert.match((await run(env, 'status')).stderr, /was killed and left processes behind/)
    const { line } = up()
    await line('step', /was killed: taking over/)
    await line('step', /configuration revision 1, unchanged/)
    await line('ready')
  })

  test('down stops everything and leaves no process, socket or lock', async () => {
    const { parts, supervisor } = state()
    const { status } = await run(env, 'down')
    assert.equal(status, 0)
    assert.deepEqual(readdirSync(join(data, 'run')), [])
    for (const p of [supervisor, ...parts]) assert.equal(isSame(p), false, JSON.stringify(p))
    assert.equal(await whyPortTaken('udp', '127.0.0.1', sip), undefined)
  })
})
