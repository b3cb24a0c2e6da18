/** RFC 3261 20.43: code 399, our name, a sentence for a person. */
export function warning(domain: string, text: string): [string, string] {
  const clean = text.replace(/[^\x20-\x7e]/g, ' ').replace(/["\\]/g, "'")
  return ['Warning', `399 ${domain} "${clean}"`]
}
