"""
Images judged by hand: by the policy, the provider and the code that the service has. Kafka plays no part in it.

    command_line ─► scanning ─┬─► finding (manifest)        what is named ─► items
                              ├─► inputs, plan              settings and pace; what it would cost
                              ├─► paths                     no file is written over
                              ├─► state (facts, answers)    what an earlier scan has paid for
                              ├─► asking (files, patience)  items ─► verdicts, by the service's own layers
                              └─► lines, tally              verdicts ─► results, which are told of by
                                    outputs, progress         JSON lines, and a bar, each in a thread of its own
                                    table, page (pictures)    a table, and a page with small pictures
"""
