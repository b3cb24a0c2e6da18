// npm start: set up what is missing, then show a real call on this machine. See cli/src/demo/main.ts.
import { spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { SetupError, setup } from './setup.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
try {
  const { node } = await setup()
  const demo = join(root, 'cli', 'src', 'demo', 'main.ts')
  const child = spawn(node, [demo, ...process.argv.slice(2)], { stdio: 'inherit', cwd: root })
  // The terminal's Ctrl-C reaches the child by itself; a signal sent to this process alone is handed on.
  process.on('SIGINT', () => {})
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill('SIGTERM'))
  child.on('exit', (code, signal) => process.exit(signal ? 1 : (code ?? 1)))
} catch (error) {
  if (!(error instanceof SetupError)) throw error
  console.error(`\n${error.message}`)
  process.exit(1)
}
