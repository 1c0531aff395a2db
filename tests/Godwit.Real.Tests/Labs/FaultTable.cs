using System.Reflection;
using System.Text;
using Godwit.Api.KubeVirt.V1;

namespace Godwit.Real.Tests.Labs;

/// <summary>
/// The table of faults in <c>docs/specification.md</c>, made from the cases that the tests are run with: what is not in a test is
/// not in the table. <c>GODWIT_WRITE_SPECIFICATION=1</c> writes it.
/// </summary>
public sealed class FaultTable
{
    private const string Begin = "<!-- The rows below are written by FaultTable; see there. -->\n";
    private const string End = "<!-- End of what FaultTable writes. -->\n";
    private const string Precopying = "Precopying";
    private const string Postcopying = "Postcopying";
    private const string Mirroring = "Mirroring";
    private const string LinkCut = "link cut";
    private const string LinkSlowed = "link a hundred times slower";
    private const string BootedAnew = "lost, and booted anew";

    private static readonly (string Point, string Words)[] Rows =
    [
        (MoveHoldPoints.Prepared, "prepared: QEMU listens at the target"),
        (Mirroring, "disks are copied"),
        (Precopying, "memory is copied"),
        (MoveHoldPoints.Barrier, "at the barrier: the guest stands still"),
        (MoveHoldPoints.Arrived, "arrived: all has been sent"),
        (MoveHoldPoints.Granted, "granted: only the target may run it"),
        (MoveHoldPoints.Moved, "moved: it runs at the target"),
        (Postcopying, "post-copy: memory is pulled"),
    ];

    private static readonly string[] FrozenColumns = ["source QEMU frozen", "target QEMU frozen", "source agent frozen", "target agent frozen", "server frozen"];

    private static readonly string[] Columns =
    [
        "source agent killed", "target agent killed", "both agents killed", "server killed", "source QEMU killed", "target QEMU killed", "migration deleted",
        "source agent stopped in good order", "target agent stopped in good order", .. FrozenColumns, LinkCut, LinkSlowed,
    ];

    [Fact]
    public void The_specification_shows_what_the_fault_tests_show()
    {
        var file = Path.Combine(Root(), "docs", "specification.md");
        var text = File.ReadAllText(file);
        var (begin, end) = (text.IndexOf(Begin, StringComparison.Ordinal) + Begin.Length, text.IndexOf(End, StringComparison.Ordinal));
        Assert.True(begin >= Begin.Length && end >= begin, $"{file} has no place for the table of faults.");
        var table = Write();
        if (Environment.GetEnvironmentVariable("GODWIT_WRITE_SPECIFICATION") == "1")
        {
            File.WriteAllText(file, string.Concat(text.AsSpan(0, begin), table, text.AsSpan(end)));
            return;
        }

        Assert.Equal(table, text[begin..end]);
    }

    private static string Write()
    {
        var cells = Cells().ToDictionary(cell => (cell.Point, cell.Column), cell => cell.Outcome);
        var missing = Rows.SelectMany(row => Columns.Select(column => (row.Point, Column: column))).Where(key => !cells.ContainsKey(key)).ToList();
        Assert.True(missing.Count == 0, $"No test makes {string.Join(", ", missing)}.");
        Assert.All(cells.Keys, key => Assert.True(Rows.Any(row => row.Point == key.Point) && Columns.Contains(key.Column), $"The table has no place for {key}."));
        var table = new StringBuilder();
        table.Append("| where the move is | ").AppendJoin(" | ", Columns).Append(" |\n|---|").Insert(table.Length, "---|", Columns.Length).Append('\n');
        foreach (var (point, words) in Rows)
        {
            table.Append("| ").Append(words).Append(" | ").AppendJoin(" | ", Columns.Select(column => cells[(point, column)])).Append(" |\n");
        }

        return table.ToString();
    }

    private static IEnumerable<(string Point, string Column, string Outcome)> Cells()
    {
        foreach (var row in FaultMatrixTests.Cases())
        {
            var (point, victim, moves, _) = row.Data;
            yield return (point, Column(victim), moves ? "target" : "source");
        }

        foreach (var victim in Victims(typeof(FaultPostcopyTests), nameof(FaultPostcopyTests.Whoever_dies_while_memory_is_pulled_it_goes_on_and_nothing_is_lost)))
        {
            yield return (Postcopying, Column(victim), "target");
        }

        foreach (var victim in Victims(typeof(FaultDiskTests), nameof(FaultDiskTests.Whoever_dies_while_a_disk_is_copied_the_guest_stays_with_its_own)))
        {
            yield return (Mirroring, Column(victim), "source");
        }

        foreach (var data in Data(typeof(FaultLinkTests), nameof(FaultLinkTests.A_source_agent_that_is_stopped_in_good_order_gives_the_guest_back_before_it_ends)))
        {
            yield return ((string)data[0]!, Column(Victim.SourceAgentStopped), "source");
        }

        foreach (var (point, outcome) in Points(nameof(FaultSourceTests.A_source_QEMU_that_dies_before_all_was_sent_takes_the_guest_with_it_and_its_virtual_machine_boots_it_anew), BootedAnew)
            .Concat(Points(nameof(FaultSourceTests.A_source_QEMU_that_dies_after_all_was_sent_costs_nothing), "target")))
        {
            yield return (point, Column(Victim.SourceQemu), outcome);
        }

        foreach (var victim in Victims(typeof(FaultPostcopyTests), nameof(FaultPostcopyTests.A_QEMU_that_dies_while_memory_is_pulled_loses_the_guest_and_its_virtual_machine_boots_it_anew)))
        {
            yield return (Postcopying, Column(victim), BootedAnew);
        }

        foreach (var data in Data(typeof(FaultPostcopyTests), nameof(FaultPostcopyTests.Who_stands_still_while_memory_is_pulled_is_waited_for_and_the_stream_mended)))
        {
            yield return (Postcopying, FrozenColumns[(int)(Frozen)data[0]!], "target");
        }

        foreach (var data in Data(typeof(FaultDiskTests), nameof(FaultDiskTests.Who_stands_still_while_a_disk_is_copied_is_waited_for)))
        {
            yield return (Mirroring, FrozenColumns[(int)(Frozen)data[0]!], "target");
        }

        foreach (var data in Data(typeof(FaultFrozenTests), nameof(FaultFrozenTests.Who_stands_still_for_a_while_is_waited_for)))
        {
            yield return ((string)data[0]!, FrozenColumns[(int)(Frozen)data[1]!], "target");
        }

        foreach (var data in Data(typeof(FaultFrozenTests), nameof(FaultFrozenTests.Who_stands_still_for_too_long_while_the_guest_does_turns_the_move_back_and_changes_nothing_when_it_goes_on)))
        {
            yield return ((string)data[0]!, FrozenColumns[(int)(Frozen)data[1]!], "source");
        }

        foreach (var data in Data(typeof(FaultLinkTests), nameof(FaultLinkTests.A_link_that_becomes_a_hundred_times_slower_is_waited_for)))
        {
            yield return ((string)data[0]!, LinkSlowed, "target");
        }

        foreach (var cell in Single())
        {
            yield return cell;
        }
    }

    /// <summary>Of these each is one test, and its name says how it ends: that the test is there, the compiler holds.</summary>
    private static IEnumerable<(string Point, string Column, string Outcome)> Single() =>
    [
        Of(nameof(FaultLinkTests.A_link_that_dies_before_the_stream_begins_turns_the_move_back), MoveHoldPoints.Prepared, LinkCut, "source"),
        Of(nameof(FaultLinkTests.A_link_that_dies_while_memory_is_copied_is_noticed_and_the_guest_stays), Precopying, LinkCut, "source"),
        Of(nameof(FaultLinkTests.A_link_that_dies_in_the_switchover_window_costs_the_watchdogs_time_and_not_the_guest), MoveHoldPoints.Barrier, LinkCut, "source"),
        Of(nameof(FaultLinkTests.A_link_that_dies_just_before_the_order_to_run_is_waited_for_with_the_guest_on_neither_side), MoveHoldPoints.Arrived, LinkCut, "target"),
        Of(nameof(FaultLinkTests.A_link_that_dies_after_the_order_to_run_is_waited_for_and_the_guest_runs_on_the_target_alone), MoveHoldPoints.Granted, LinkCut, "target"),
        Of(nameof(FaultLinkTests.A_link_that_dies_when_the_guest_has_moved_is_not_needed_to_end_the_move), MoveHoldPoints.Moved, LinkCut, "target"),
        Of(nameof(FaultPostcopyTests.A_link_that_dies_while_memory_is_pulled_is_waited_for_and_the_stream_mended), Postcopying, LinkCut, "target"),
        Of(nameof(FaultPostcopyTests.A_link_that_becomes_a_hundred_times_slower_while_memory_is_pulled_is_waited_for), Postcopying, LinkSlowed, "target"),
        Of(nameof(FaultDiskTests.A_link_that_dies_while_a_disk_is_copied_leaves_the_guest_with_its_own), Mirroring, LinkCut, "source"),
        Of(nameof(FaultDiskTests.A_link_that_becomes_a_hundred_times_slower_while_a_disk_is_copied_is_waited_for), Mirroring, LinkSlowed, "target"),
        Of(nameof(FaultDiskTests.A_server_that_dies_while_a_disk_is_copied_is_not_missed), Mirroring, Column(Victim.Server), "target"),
        Of(
            nameof(FaultDiskTests.A_source_QEMU_that_dies_while_a_disk_is_copied_takes_the_guest_with_it_and_its_virtual_machine_boots_it_anew),
            Mirroring,
            Column(Victim.SourceQemu),
            BootedAnew),
        Of(
            nameof(FaultMatrixTests.A_target_QEMU_that_dies_when_the_guest_has_moved_is_a_crash_and_its_virtual_machine_boots_it_anew),
            MoveHoldPoints.Moved,
            Column(Victim.TargetQemu),
            BootedAnew),
    ];

    private static IEnumerable<(string Point, string Outcome)> Points(string test, string outcome) =>
        Data(typeof(FaultSourceTests), test).Select(data => ((string)data[0]!, outcome));

    private static (string Point, string Column, string Outcome) Of(string test, string point, string column, string outcome) =>
        test.Length > 0 ? (point, column, outcome) : throw new ArgumentException("A cell needs its test.", nameof(test));

    /// <summary>The first columns are those of the victims, in their order.</summary>
    private static string Column(Victim victim) => Columns[(int)victim];

    private static IEnumerable<Victim> Victims(Type tests, string method) => Data(tests, method).Select(data => (Victim)data[0]!);

    private static IEnumerable<object?[]> Data(Type tests, string method) =>
        tests.GetMethod(method)!.GetCustomAttributes<InlineDataAttribute>().Select(attribute => attribute.Data);

    private static string Root()
    {
        var place = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(place.FullName, "Godwit.slnx")))
        {
            place = place.Parent ?? throw new InvalidOperationException($"No Godwit.slnx stands above {AppContext.BaseDirectory}.");
        }

        return place.FullName;
    }
}
