/** The process as it is run: from its environment to a clean end. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { CONFIG_BUCKET, CONFIG_KEY, writeRevision } from '@tandem/config/revision.ts'
import { startPrivateNats } from '@tandem/testing/nats.ts'
import { steadyPort } from '@tandem/testing/ports.ts'
import { stringify } from 'yaml'
import { rawPeer, registerUser } from './raw-peer.ts'
import { PASSWORDS, testConfiguration } from './start-edge.ts'

test('the edge process waits for a configuration, says ready, serves phones and ends on SIGTERM', async (t) => {
  const nats = await startPrivateNats()
  const folder = await mkdtemp(join(tmpdir(), 'tandem-edge-'))
  const [port, health] = [await steadyPort(), await steadyPort()]
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', fileURLToPath(new URL('../src/main.ts', import.meta.url))],
    {
      env: {
        PATH: process.env.PATH,
        ...PASSWORDS,
        NATS_URL: nats.url,
        NATS_USER: 'edge-proxy',
        NATS_PASSWORD: nats.passwords['edge-proxy'],
        HEALTH_PORT: String(health),
        TANDEM_DATA: folder,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (d: Buffer) => (said = (said + d).slice(-20_000)))
  t.after(async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    await nats.close()
    await rm(folder, { recursive: true, force: true })
  })
  const state = async () =>
    await fetch(`http://127.0.0.1:${health}/readyz`).then(
      async (r) => `${r.status} ${await r.text()}`,
      () => '',
    )
  const until = async (wanted: RegExp) => {
    for (let i = 0; i < 600 && child.exitCode === null; i++) {
      if (wanted.test(await state())) return
      await new Promise((done) => setTimeout(done, 50))
    }
    assert.fail(`never ${wanted}: ${said}`)
  }
  await until(/^503 .*no configuration yet/)

  const console = await nats.bus('console')
  const document = testConfiguration()
  const trunks = { 'itsp-a': { to: ['sip:127.0.0.1:9'], from: ['127.0.0.1:9'], listener: 'inside', emergency: true } }
  const routes = [{ name: 'all', match: '^\\+', usages: ['national'], trunks: ['itsp-a'] }]
  const written = {
    ...document,
    edge: { ...document.edge, listen: { inside: { url: `udp://127.0.0.1:${port}` } } },
    routes,
    trunks,
  }
  const source = [{ path: 'tandem.yaml', text: stringify(JSON.parse(JSON.stringify(written))) }]
  const revision = writeRevision({
    revision: 1,
    by: 'test',
    at: new Date().toISOString(),
    why: 'test',
    source,
    decks: {},
  })
  await (await console.bucket(CONFIG_BUCKET)).put(CONFIG_KEY, revision)
  await until(/^200 /)

  const phone = await rawPeer('UDP', { port })
  assert.equal((await registerUser(phone, 'alice', PASSWORDS.ALICE_PASSWORD)).status, 200)
  phone.close()
  child.kill('SIGTERM')
  const [code] = await once(child, 'exit')
  assert.equal(code, 0, said)
})
