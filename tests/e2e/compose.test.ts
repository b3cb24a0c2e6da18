/**
 * docker-compose.yml as it is, on a subnet and ports of its own: a sipp call goes through the containers. It runs where a
 * Docker engine answers and the base images are there or can be had; else it says so.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, before, test } from 'node:test'
import type { Cdr } from '@tandem/contracts/billing.ts'
import { eventually } from './platform.ts'
import { findSipp, startSipp } from './sipp.ts'

const root = resolve(import.meta.dirname, '../..')
const images = ['node:24-bookworm-slim', 'nats:2.10-alpine', 'postgres:17-alpine']

const docker = (...args: string[]) => spawnSync('docker', args, { encoding: 'utf8', cwd: root, timeout: 20_000 })

function whyNot(): string | false {
  if (findSipp() === undefined) return 'sipp is not installed (Debian: sip-tester)'
  if (docker('version').status !== 0) return 'no Docker engine answers on this machine'
  if (docker('compose', 'version').status !== 0) return 'the Docker client has no compose plugin'
  const missing = images.filter(
    (i) =>
      docker('image', 'inspect', i).status !== 0 &&
      spawnSync('docker', ['pull', '-q', i], { timeout: 120_000 }).status !== 0,
  )
  return missing.length > 0 ? `image ${missing.join(', ')} is not here and cannot be pulled` : false
}

const skip = whyNot()
const project = `tandem-test-${randomBytes(3).toString('hex')}`
/** One of the /24s of 172.28.64–127: beside another run of the same test. */
const subnet = `172.28.${64 + Math.floor(Math.random() * 64)}`
let folder: string
let env: Record<string, string>

function compose(...args: string[]) {
  return spawnSync(
    'docker',
    [
      'compose',
      '-p',
      project,
      '--env-file',
      join(folder, 'env'),
      '-f',
      'docker-compose.yml',
      '-f',
      join(folder, 'override.yml'),
      ...args,
    ],
    {
      encoding: 'utf8',
      cwd: root,
      timeout: 900_000,
      env: { ...process.env, ...env },
      maxBuffer: 64 * 1024 * 1024,
    },
  )
}

before(() => {
  if (skip) return
  folder = mkdtempSync(join(tmpdir(), 'tandem-compose-'))
  // make-env.mjs writes beside itself: it is run in a copy, so that a user's own .env is left alone
  mkdirSync(join(folder, 'deploy', 'docker'), { recursive: true })
  copyFileSync(join(root, 'deploy/docker/make-env.mjs'), join(folder, 'deploy/docker/make-env.mjs'))
  assert.equal(spawnSync(process.execPath, [join(folder, 'deploy/docker/make-env.mjs')]).status, 0)
  copyFileSync(join(folder, '.env'), join(folder, 'env'))
  const config = join(folder, 'config')
  mkdirSync(join(config, 'rates'), { recursive: true })
  writeFileSync(
    join(config, 'tandem.yaml'),
    readFileSync(join(root, 'deploy/docker/config/tandem.yaml'), 'utf8').replaceAll('172.28.57.', `${subnet}.`),
  )
  copyFileSync(join(root, 'deploy/docker/config/rates/minutes.csv'), join(config, 'rates/minutes.csv'))
  const tokens = join(folder, 'deploy/docker/secrets/api-tokens.json')
  writeFileSync(
    join(folder, 'override.yml'),
    `services:\n  console:\n    volumes: ["${tokens}:/run/tandem/api-tokens.json:ro"]\n`,
  )
  env = { TANDEM_SUBNET: `${subnet}.0/24`, EDGE_ADDRESS: `${subnet}.10`, TANDEM_CONFIG: config, CONSOLE_PORT: '0' }
})
after(() => {
  if (skip) return
  compose('down', '-v', '--remove-orphans', '-t', '5')
  rmSync(folder, { recursive: true, force: true })
})

test('docker compose builds and starts the platform, and a sipp call goes through it into two CDRs', {
  skip,
  timeout: 900_000,
}, async () => {
  const up = compose('up', '-d', '--build')
  assert.equal(up.status, 0, up.stderr.slice(-4000))
  await eventually(
    'the configuration is applied',
    async () => {
      const logs = compose('logs', '--no-color', 'edge-proxy').stdout
      return logs.includes('configuration in force')
    },
    120_000,
  )

  const settings = Object.fromEntries(
    readFileSync(join(folder, 'env'), 'utf8')
      .trim()
      .split('\n')
      .map((l) => l.split('=') as [string, string]),
  )
  const carrier = await startSipp({
    scenario: 'carrier-answers.xml',
    localAddress: `${subnet}.1`,
    localPort: 5080,
    timeout: 90,
  })
  const caller = await startSipp({
    scenario: 'user-calls.xml',
    target: `${subnet}.10:5060`,
    localAddress: `${subnet}.1`,
    localPort: 5066,
    calls: 1,
    user: 'alice',
    password: settings.ALICE_PASSWORD as string,
    keys: { dialled: '912065550100' },
    timeout: 60,
  })
  const called = await caller.done
  await carrier.stop()
  assert.deepEqual([called.successful, called.failed], [1, 0], called.errors)

  const address = compose('port', 'console', '8080').stdout.trim()
  const page = await eventually(
    'two CDRs',
    async () => {
      const response = await fetch(`http://${address}/api/v1/cdrs`, {
        headers: { authorization: `Bearer ${settings.TANDEM_API_TOKEN}` },
      })
      const body = (await response.json()) as { legs: number; cdrs: Cdr[] }
      return body.legs === 2 && body
    },
    60_000,
  )
  assert.deepEqual(page.cdrs.map((c) => c.party.kind).sort(), ['trunk', 'user'])
})
