const entities: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Everything in a report came from a server that may not mean well. */
export function escapeHtml(text: string): string {
  return Array.from(text)
    .map((char) => entities[char] ?? (isControl(char) ? '\ufffd' : char))
    .join('')
}

function isControl(char: string): boolean {
  return char < ' ' && char !== '\n' && char !== '\t'
}
