// Builds the console's page when a source is newer than what is there: a second or two, else nothing.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const page = join(root, 'services', 'console', 'src', 'page')
const built = join(root, 'services', 'console', 'dist', 'page', 'index.html')

/** @param {string} node a Node 24 */
export function buildPage(node, say = console.log) {
  const domain = join(root, 'services', 'console', 'src', 'domain')
  const newest = Math.max(...[page, domain].flatMap((d) => readdirSync(d).map((f) => statSync(join(d, f)).mtimeMs)))
  if (existsSync(built) && statSync(built).mtimeMs >= newest) return
  say('building the console page (vite build) …')
  const vite = join(root, 'node_modules', 'vite', 'bin', 'vite.js')
  const { status, stdout, stderr } = spawnSync(
    node,
    [vite, 'build', '--logLevel', 'warn', '-c', join(page, 'vite.config.ts')],
    { cwd: root, encoding: 'utf8' },
  )
  if (status !== 0) throw new Error(`the console page does not build:\n${stdout}${stderr}`)
}
