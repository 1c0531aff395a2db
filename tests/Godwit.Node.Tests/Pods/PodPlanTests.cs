using Godwit.Api;
using Godwit.Api.Core.V1;
using Godwit.Api.Meta.V1;
using Godwit.Containers;
using Godwit.Node.Pods;
using ContainerState = Godwit.Containers.ContainerState;

namespace Godwit.Node.Tests.Pods;

public sealed class PodPlanTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    [Fact]
    public void A_pod_waits_for_its_address_then_gets_a_sandbox_then_its_containers()
    {
        var pod = PodOf(new Container { Name = "web" });
        Assert.Empty(PodPlan.For(ViewOf(pod with { Status = new PodStatus() })).Steps);
        Assert.Contains(PodPlan.For(ViewOf(pod) with { HasSandbox = false }).Steps, step => step is PodStep.MakeSandbox);
        var start = Assert.Single(PodPlan.For(ViewOf(pod)).Steps.OfType<PodStep.Start>());
        Assert.Equal(("web", 0, 0), (start.Container.Name, start.Attempt, start.Streak));
    }

    [Fact]
    public void Init_containers_run_one_after_the_other_and_a_sidecar_goes_on()
    {
        var pod = PodOf(new Container { Name = "web" }) with { };
        pod = pod with { Spec = pod.Spec with { InitContainers = [new Container { Name = "first" }, new Container { Name = "side", RestartPolicy = "Always" }] } };
        Assert.Equal(["first"], Starts(ViewOf(pod)));
        Assert.Empty(Starts(ViewOf(pod, Alive("first"))));
        Assert.Equal(["side"], Starts(ViewOf(pod, Ended("first", 0))));
        Assert.Empty(Starts(ViewOf(pod, Ended("first", 0), Alive("side")))); // It has not started yet.
        Assert.Equal(["web"], Starts(Healthy(ViewOf(pod, Ended("first", 0), Alive("side")))));
        Assert.Equal(["first"], Starts(ViewOf(pod, Ended("first", 1))));
        Assert.Equal(PodPhases.Failed, PodStatusPlan.For(With(pod, "Never"), ViewOf(With(pod, "Never"), Ended("first", 1))).Phase);
    }

    [Fact]
    public void A_container_that_looks_into_a_pod_runs_once_and_means_nothing_to_it()
    {
        var pod = PodOf(new Container { Name = "web" });
        pod = pod with { Spec = pod.Spec with { EphemeralContainers = [new EphemeralContainer { Name = "look", Command = ["sh"], Tty = true, TargetContainerName = "web" }] } };
        var start = PodPlan.For(ViewOf(pod, Alive("web"))).Steps.OfType<PodStep.Start>().Single();
        Assert.Equal(("look", true, "sh"), (start.Container.Name, start.Container.Tty, start.Container.Command.Single()));
        Assert.Equal("web", EphemeralContainers.TargetOf(pod, "look"));

        var over = ViewOf(pod, Alive("web"), Ended("look", 1));
        Assert.Empty(Starts(over));
        var status = PodStatusPlan.For(pod, Healthy(over));
        Assert.Equal((PodPhases.Running, 1), (status.Phase, status.EphemeralContainerStatuses.Single().State?.Terminated?.ExitCode));
        Assert.Equal(ConditionStatuses.True, status.Conditions.Single(condition => condition.Type == PodConditionTypes.Ready).Status);
    }

    [Theory]
    [InlineData("Always", 0, true)]
    [InlineData("Always", 1, true)]
    [InlineData("OnFailure", 0, false)]
    [InlineData("OnFailure", 1, true)]
    [InlineData("Never", 1, false)]
    public void The_restart_policy_decides_what_follows_an_end(string policy, int code, bool restarts)
    {
        var pod = With(PodOf(new Container { Name = "job" }), policy);
        var view = ViewOf(pod, Ended("job", code));
        Assert.Equal(restarts, Starts(view).Count > 0);
        var phase = PodStatusPlan.For(pod, view).Phase;
        Assert.Equal(restarts ? PodPhases.Running : code == 0 ? PodPhases.Succeeded : PodPhases.Failed, phase);
    }

    [Fact]
    public void Short_runs_are_repeated_later_and_later_and_a_long_one_begins_anew()
    {
        Assert.Equal([0, 0, 10, 20, 40, 80, 160, 300, 300], Enumerable.Range(0, 9).Select(streak => (int)PodPlan.BackOff(streak).TotalSeconds));
        var pod = PodOf(new Container { Name = "web" });
        var third = ViewOf(pod, Ended("web", 1, attempt: 2, streak: 2));
        Assert.Empty(Starts(third));
        Assert.Equal(Now + TimeSpan.FromSeconds(20), PodPlan.For(third).LookAgainAt);
        Assert.Equal("CrashLoopBackOff", PodStatusPlan.For(pod, third).ContainerStatuses[0].State?.Waiting?.Reason);
        var start = Assert.Single(PodPlan.For(third with { Now = Now + TimeSpan.FromSeconds(20) }).Steps.OfType<PodStep.Start>());
        Assert.Equal((3, 3), (start.Attempt, start.Streak));
        var longRun = ViewOf(pod, Ended("web", 1, attempt: 7, streak: 7, ran: PodPlan.GoodRun));
        Assert.Equal((8, 1), Assert.Single(PodPlan.For(longRun).Steps.OfType<PodStep.Start>()) is var next ? (next.Attempt, next.Streak) : default);
    }

    [Fact]
    public void One_that_was_made_and_never_started_is_started_and_not_made_again()
    {
        var pod = PodOf(new Container { Name = "web" });
        var made = new PodRun("made", "web", 4, 1, new ContainerState.Created());
        Assert.Equal(4, Assert.Single(PodPlan.For(ViewOf(pod, made)).Steps.OfType<PodStep.Start>()).Attempt);
    }

    [Fact]
    public void A_deleted_pod_is_ended_with_its_grace_then_removed_then_released()
    {
        var pod = PodOf(new Container { Name = "web" });
        pod = pod with { Metadata = pod.Metadata with { DeletionTimestamp = Now, DeletionGracePeriodSeconds = 7 } };
        var ending = PodPlan.For(Healthy(ViewOf(pod, Alive("web"))));
        Assert.Equal(TimeSpan.FromSeconds(7), Assert.Single(ending.Steps.OfType<PodStep.End>()).Grace);
        Assert.DoesNotContain(ending.Steps, step => step is PodStep.Remove or PodStep.Release or PodStep.Start);
        Assert.DoesNotContain(PodPlan.For(ViewOf(pod, Alive("web")) with { Ending = new HashSet<string>(["web-0"]) }).Steps, step => step is PodStep.End);
        Assert.Equal([typeof(PodStep.Remove), typeof(PodStep.Release)], PodPlan.For(ViewOf(pod, Ended("web", 143))).Steps.Where(step => step is not PodStep.Publish).Select(step => step.GetType()));
    }

    [Fact]
    public void Nothing_is_done_while_the_server_cannot_be_asked_and_all_is_ended_when_the_object_is_gone()
    {
        var pod = PodOf(new Container { Name = "web" });
        Assert.Empty(PodPlan.For(ViewOf(pod, Alive("web")) with { Object = new PodObject.Unknown() }).Steps);
        Assert.IsType<PodStep.End>(Assert.Single(PodPlan.For(ViewOf(pod, Alive("web")) with { Object = new PodObject.Absent() }).Steps));
        Assert.IsType<PodStep.Remove>(Assert.Single(PodPlan.For(ViewOf(pod, Ended("web", 0)) with { Object = new PodObject.Absent() }).Steps));
    }

    [Fact]
    public void A_failed_probe_ends_the_run_and_readiness_is_told()
    {
        var pod = PodOf(new Container { Name = "web" });
        var sick = ViewOf(pod, Alive("web")) with { Health = new Dictionary<string, RunHealth>(StringComparer.Ordinal) { ["web-0"] = new(true, true, "Liveness probe failed: no answer") } };
        Assert.Contains("Liveness", Assert.Single(PodPlan.For(sick).Steps.OfType<PodStep.End>()).Why, StringComparison.Ordinal);
        Assert.Equal("True", ReadyOf(PodStatusPlan.For(pod, Healthy(ViewOf(pod, Alive("web"))))));
        Assert.Equal("False", ReadyOf(PodStatusPlan.For(pod, ViewOf(pod, Alive("web")))));
    }

    [Fact]
    public void A_pod_that_is_condemned_ends_as_failed_with_the_reason_once_nothing_of_it_runs()
    {
        var pod = PodOf(new Container { Name = "web" });
        var view = ViewOf(pod, Alive("web")) with { Verdict = new PodVerdict("Evicted", "the node is short of memory") };
        Assert.Contains(PodPlan.For(view).Steps, step => step is PodStep.End);
        Assert.Equal(PodPhases.Running, PodStatusPlan.For(pod, view).Phase);
        var over = PodStatusPlan.For(pod, ViewOf(pod, Ended("web", 137)) with { Verdict = view.Verdict });
        Assert.Equal((PodPhases.Failed, "Evicted"), (over.Phase, over.Reason));
    }

    [Fact]
    public void An_evicted_pod_ends_at_once_and_gives_its_room_back_when_that_has_been_told_and_others_keep_their_logs()
    {
        var pod = With(PodOf(new Container { Name = "web" }), "Never");
        var evicted = new PodVerdict(PressurePlan.Evicted, "the node is short of disk") { Grace = TimeSpan.Zero };
        Assert.Equal(TimeSpan.Zero, Assert.Single(PodPlan.For(ViewOf(pod, Alive("web")) with { Verdict = evicted }).Steps.OfType<PodStep.End>()).Grace);
        var over = ViewOf(pod, Ended("web", 137)) with { Verdict = evicted };
        Assert.IsType<PodStep.Publish>(Assert.Single(PodPlan.For(over).Steps));

        var told = pod with { Status = PodStatusPlan.For(pod, over) };
        Assert.IsType<PodStep.Remove>(Assert.Single(PodPlan.For(ViewOf(told, Ended("web", 137))).Steps)); // Also by an agent that does not know of the verdict any more.
        Assert.Empty(PodPlan.For(ViewOf(told) with { HasSandbox = false }).Steps);
        var ended = pod with { Status = PodStatusPlan.For(pod, ViewOf(pod, Ended("web", 0))) };
        Assert.Empty(PodPlan.For(ViewOf(ended, Ended("web", 0))).Steps);
    }

    [Fact]
    public void A_status_that_says_what_the_server_knows_is_not_sent_again()
    {
        var pod = PodOf(new Container { Name = "web" });
        var view = Healthy(ViewOf(pod, Alive("web")));
        var told = pod with { Status = PodStatusPlan.For(pod, view) };
        Assert.DoesNotContain(PodPlan.For(Healthy(ViewOf(told, Alive("web"))) with { Now = Now.AddHours(1) }).Steps, step => step is PodStep.Publish);
    }

    private static string? ReadyOf(PodStatus status) => status.Conditions.Single(condition => condition.Type == PodConditionTypes.Ready).Status;

    private static List<string> Starts(PodView view) => [.. PodPlan.For(view).Steps.OfType<PodStep.Start>().Select(start => start.Container.Name)];

    private static Pod With(Pod pod, string policy) => pod with { Spec = pod.Spec with { RestartPolicy = policy } };

    private static Pod PodOf(params Container[] containers) => new()
    {
        Metadata = new ObjectMeta { Name = "pod", Namespace = "default", Uid = "0b54a4b4-0000-0000-0000-000000000001" },
        Spec = new PodSpec { Containers = containers, NodeName = "node-1", RestartPolicy = "Always" },
        Status = new PodStatus { PodIP = "10.77.0.9" },
    };

    private static PodView ViewOf(Pod pod, params PodRun[] runs) => new() { Object = new PodObject.Present(pod), Now = Now, Runs = runs, HasSandbox = true, HostAddress = "192.0.2.1" };

    private static PodView Healthy(PodView view) => view with { Health = view.Runs.ToDictionary(run => run.Id, _ => new RunHealth(true, true, null), StringComparer.Ordinal) };

    private static PodRun Alive(string name) => new($"{name}-0", name, 0, 0, new ContainerState.Running(new Incarnation(default, default, Now)));

    private static PodRun Ended(string name, int code, int attempt = 0, int streak = 0, TimeSpan ran = default) =>
        new($"{name}-{attempt}", name, attempt, streak, new ContainerState.Exited(new ContainerExit(code, OutOfMemory: false, Now - ran, Now)));
}
