"""General operator priors, set and checked on projects outside any benchmark."""

# How often an edit of this kind repairs a fault, before looking at the code. Only ratios matter.
OPERATOR_WEIGHT: dict[str, float] = {
    # comparisons and conditions
    "boundary": 10, "bound_off_by_one": 2, "flip": 4, "equality": 5, "compare_kind": 1.2, "identity": 1,
    "swap_operands": 3, "truthiness": 3, "and_or": 6, "drop_clause": 2.5, "add_not": 5, "drop_not": 5,
    "return_not": 1.5, "flip_bool": 6, "add_clause": 2, "drop_guard": 1.5, "drop_branch": 1.5, "if_elif": 1.5,
    # arithmetic and constants
    "plus_minus": 6, "arithmetic": 2, "times_divide": 4, "true_floor": 5, "floor_mod": 2, "bits": 3,
    "drop_one": 5, "drop_operand": 2.5, "regroup": 2, "drop_minus": 3, "augmented": 3, "augmented_rare": 0.3,
    "constant_one": 6, "constant_sign": 2, "constant_other": 2, "constant_scale": 1, "constant_name": 1,
    "string_other": 2, "string_edit": 2,
    # bounds
    "range_bound": 6, "range_start": 4, "range_step": 1, "argument_off_by_one": 2, "slice_bound": 7,
    "index_bound": 3, "index_end": 4, "value_off_by_one": 4,
    # names and calls
    "variable": 7, "target_variable": 1, "constant_swap": 4, "sibling": 8, "exception": 4, "exception_add": 2,
    "attribute_swap": 4, "method_swap": 3, "function_swap": 4, "swap_arguments": 6, "drop_keyword": 3,
    "drop_argument": 1.5, "add_keyword": 5, "add_flag": 1.5, "builtin_option": 4, "builtin_key": 1,
    "builtin_default": 3, "subscript_get": 3, "subscript_index": 1.5,
    # wrapping
    "wrap_helper_key": 8, "wrap_helper_argument": 6, "wrap_helper_returned": 7, "wrap_helper_assigned": 6,
    "wrap_helper_compared": 6, "wrap_helper_iterated": 4, "wrap_helper_element": 4, "wrap_helper_receiver": 2,
    # the project's own form in place of a general one
    "helper_for_builtin": 5, "helper_for_method": 3, "helper_for_each": 2, "sentinel": 3, "wrap_helper_two": 1,
    # other wrapping
    "wrap_builtin": 3, "clamp": 1, "round_two": 1, "append_method": 4, "factor": 4,
    "term": 0.7, "factor_number": 1, "unwrap_call": 3, "unwrap_many": 1, "unwrap_method": 3,
    # statements
    "loop_word": 3, "return_value": 2, "return_self": 0.5, "yield_from": 1, "drop_statement": 2.5, "swap_statements": 2,
    "dedent": 3, "early_return": 3, "early_raise": 1.5, "early_default": 0.5, "early_helper": 1,
    "missing_return": 4, "insert_start": 2.5, "insert_end": 5, "insert_block": 1.5, "insert_guard": 2.5,
    # an edit that only a note suggested: nothing but its similarity speaks for it
    "from_note": 0.5,
}  # fmt: skip
