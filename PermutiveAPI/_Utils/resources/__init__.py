"""What all resources share: operations, batch helpers, lists, responses, URLs. It knows no resource."""
