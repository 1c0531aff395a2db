using System.Globalization;
using System.Text.Json.Nodes;
using CsCheck;
using Godwit.Api.Policy.V1;
using Godwit.Controllers.Workloads;
using Godwit.Controllers.Workloads.Disruptions;

namespace Godwit.Controllers.Tests.Plans;

/// <summary>A budget, its pods and their evictions from a seed, without a server: the controller sees pods late, and evictions die half way.</summary>
public sealed class DisruptionPropertyTests
{
    [Fact]
    public void Evictions_never_leave_fewer_ready_pods_than_are_to_stay_though_the_controller_sees_them_late() =>
        Gen.Select(Gen.Int[1, 8], Gen.Int[0, 8], Gen.Bool, Gen.Int).Sample((replicas, bound, isMin, seed) =>
        {
            var random = new Random(seed);
            var desired = isMin ? bound : Math.Max(0, replicas - bound);
            var budget = Budget(isMin ? bound : null, isMin ? null : bound);
            var (now, made, seenAt) = (DateTimeOffset.UnixEpoch, replicas, DateTimeOffset.UnixEpoch);
            var pods = Enumerable.Range(0, replicas).Select(number => PodOf(number, isReady: true)).ToList();
            var seen = pods.ToList();
            for (var turn = 0; turn < 200; turn++)
            {
                now += TimeSpan.FromSeconds(random.Next(10));
                switch (now - seenAt > DisruptionPlanner.DeletionTakes / 2 ? 2 : random.Next(4)) // Later than that it may not see them.
                {
                    case 0 when budget.Status.DisruptionsAllowed > 0 && pods.Exists(IsServing):
                        var victim = pods.Where(IsServing).ElementAt(random.Next(pods.Count(IsServing)));
                        var noted = new Dictionary<string, DateTimeOffset>(budget.Status.DisruptedPods) { [victim.Metadata.Name] = now };
                        budget = budget with { Status = budget.Status with { DisruptionsAllowed = budget.Status.DisruptionsAllowed - 1, DisruptedPods = noted } };
                        if (random.Next(4) > 0) // Else whoever evicts dies before the deletion.
                        {
                            pods[pods.IndexOf(victim)] = victim with { Metadata = victim.Metadata with { DeletionTimestamp = now } };
                            Assert.True(pods.Count(IsServing) >= Math.Min(desired, replicas), "too many were let go");
                        }

                        break;
                    case 1 when pods.Exists(pod => pod.Metadata.DeletionTimestamp is not null):
                        pods.RemoveAll(pod => pod.Metadata.DeletionTimestamp is not null);
                        pods.AddRange(Enumerable.Range(0, replicas - pods.Count).Select(_ => PodOf(made++, isReady: random.Next(2) == 0)));
                        break;
                    case 2:
                        (seen, seenAt) = (pods.ToList(), now); // The watch has come so far.
                        pods = [.. pods.Select(pod => pod.Metadata.DeletionTimestamp is null ? PodOf(int.Parse(pod.Metadata.Name[1..], CultureInfo.InvariantCulture), true) : pod)];
                        break;
                    default:
                        budget = budget with { Status = DisruptionPlanner.For(budget, seen, _ => ("web", replicas), now).Status };
                        break;
                }
            }
        });

    [Theory]
    [InlineData("50%", null, 5, 3, 2)]
    [InlineData(null, "50%", 5, 2, 3)]
    [InlineData(null, "1", 3, 2, 1)]
    [InlineData("3", null, 2, 3, 0)]
    public void A_share_is_of_what_the_owner_is_to_have(string? least, string? most, int replicas, int desired, int allowed)
    {
        var budget = Budget(null, null) with { Spec = new PodDisruptionBudgetSpec { Selector = new LabelSelectorSpec(), MinAvailable = Share(least), MaxUnavailable = Share(most) } };
        var status = DisruptionPlanner.For(budget, Enumerable.Range(0, replicas).Select(number => PodOf(number, true)), _ => ("web", replicas), DateTimeOffset.UnixEpoch).Status;
        Assert.Equal((replicas, replicas, desired, allowed), (status.ExpectedPods, status.CurrentHealthy, status.DesiredHealthy, status.DisruptionsAllowed));
        Assert.Equal(allowed > 0 ? "SufficientPods" : "InsufficientPods", Assert.Single(status.Conditions).Reason);
    }

    [Fact]
    public void A_share_of_pods_whose_owner_has_no_number_allows_nothing_and_says_so()
    {
        var budget = Budget(null, 1);
        var status = DisruptionPlanner.For(budget, [PodOf(1, true), PodOf(2, true)], _ => null, DateTimeOffset.UnixEpoch).Status;
        Assert.Equal((0, "SyncFailed"), (status.DisruptionsAllowed, Assert.Single(status.Conditions).Reason));
    }

    private static IntOrText? Share(string? text) => text is null ? null
        : GodwitJson.FromNode<PodDisruptionBudget>(new JsonObject
        {
            ["spec"] = new JsonObject { ["minAvailable"] = int.TryParse(text, CultureInfo.InvariantCulture, out var number) ? JsonValue.Create(number) : JsonValue.Create(text) },
        }).Spec.MinAvailable;

    private static bool IsServing(Pod pod) => pod.Metadata.DeletionTimestamp is null && PodFacts.IsReady(pod);

    private static PodDisruptionBudget Budget(int? least, int? most) => new()
    {
        Metadata = new ObjectMeta { Namespace = "ns", Name = "few", Uid = "uid", Generation = 1 },
        Spec = new PodDisruptionBudgetSpec { Selector = new LabelSelectorSpec(), MinAvailable = Share(least?.ToString(CultureInfo.InvariantCulture)), MaxUnavailable = Share(most?.ToString(CultureInfo.InvariantCulture)) },
    };

    private static Pod PodOf(int number, bool isReady) => new()
    {
        Metadata = new ObjectMeta { Namespace = "ns", Name = $"p{number}", Uid = $"uid-{number}" },
        Status = new PodStatus { Phase = PodPhases.Running, Conditions = [new PodCondition { Type = PodConditionTypes.Ready, Status = isReady ? ConditionStatuses.True : ConditionStatuses.False }] },
    };
}
