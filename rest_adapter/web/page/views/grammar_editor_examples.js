/** Grammars to begin with. */

/** @type {{name: string, text: string}[]} */
export const EXAMPLES = [
  {
    name: "Yes or no",
    text: 'root ::= "Yes" | "No"\n',
  },
  {
    name: "List",
    text: [
      "# One to ten lines, each with a dash.",
      "root ::= item{1,10}",
      'item ::= "- " [^\\r\\n]+ "\\n"',
      "",
    ].join("\n"),
  },
  {
    name: "Date",
    text: [
      "# 2024-02-29",
      'root ::= year "-" month "-" day',
      "year ::= [0-9] [0-9] [0-9] [0-9]",
      'month ::= "0" [1-9] | "1" [0-2]',
      'day ::= "0" [1-9] | [12] [0-9] | "3" [01]',
      "",
    ].join("\n"),
  },
  {
    name: "JSON object",
    text: [
      "root ::= object",
      'value ::= object | array | string | number | "true" | "false" | "null"',
      'object ::= "{" ws (pair ("," ws pair)*)? "}"',
      'pair ::= string ":" ws value ws',
      'array ::= "[" ws (value ws ("," ws value ws)*)? "]"',
      'string ::= "\\"" ([^"\\\\\\x00-\\x1f] | "\\\\" (["\\\\/bfnrt] | "u" hex hex hex hex))* "\\""',
      'number ::= "-"? ("0" | [1-9] [0-9]*) ("." [0-9]+)? ([eE] [-+]? [0-9]+)?',
      "hex ::= [0-9a-fA-F]",
      "ws ::= [ \\n]?",
      "",
    ].join("\n"),
  },
];
